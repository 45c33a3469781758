// SPDX-License-Identifier: MIT
/** Choosing the cards that `provision` makes: those of a file, or the default card of one domain. */
import { Exit, XsndError } from "../../base/error.ts";
import { inputName } from "../../base/standard_file.ts";
import { type Domain, resolveDomain } from "../../xenbus/mod.ts";
import type { StoreView } from "../../xen/ports.ts";
import { type CardConfig, type Config, DEFAULT_BACKEND, defaultCard, Limits } from "../model/card.ts";
import type { WantedCard } from "./plan.ts";
import { textProblem } from "../model/node_text.ts";

/** The default card of `domain` on one ALSA device. Throws {@link XsndError} for an unknown domain or an impossible device name. */
export function defaultCardFor(view: StoreView, domain: string, device: string): WantedCard[] {
  const problem = textProblem(device, Limits.textOctets, "comma");
  if (problem !== undefined) {
    throw new XsndError(
      `the device ${JSON.stringify(device)} ${problem}; write the name of an ALSA PCM, or dummy:`,
      Exit.usage,
    );
  }
  return cardsFor(view, resolveDomain(view, domain), DEFAULT_BACKEND, [defaultCard(device)]);
}

/**
 * The cards of `config`: all, or those of the domain `only`. Throws {@link XsndError}: exit 1 if a domain does not exist, or if
 * the file has no entry for `only`; exit 6 if the file has one domain by name and by number.
 */
export function cardsOfFile(view: StoreView, config: Config, file: string, only?: string): WantedCard[] {
  const asked = only === undefined ? undefined : resolveDomain(view, only);
  const entries = [...config].filter(([name]) =>
    asked === undefined || name === asked.name || name === `${asked.domid}`
  )
    .map(([name, guest]) => ({ name, guest, domain: asked ?? resolveDomain(view, name) }));
  if (asked !== undefined && entries.length === 0) {
    const known = [...config.keys()].join(", ");
    throw new XsndError(
      `${inputName(file)} has no cards for ${asked.name}; it has cards for ${known}`,
      Exit.failed,
    );
  }
  const twice = entries.find(({ domain }, index) =>
    entries.findIndex((entry) => entry.domain.domid === domain.domid) < index
  );
  if (twice !== undefined) {
    throw new XsndError(
      `${
        inputName(file)
      } has ${twice.domain.name} twice, by name and by number (${twice.domain.domid}); remove one of the two entries`,
      Exit.badConfiguration,
    );
  }
  return entries.flatMap(({ guest, domain }) => cardsFor(view, domain, guest.backend, guest.cards));
}

function cardsFor(
  view: StoreView,
  domain: Domain,
  backend: string,
  cards: readonly CardConfig[],
): WantedCard[] {
  const { domid: backendDomid } = resolveDomain(view, backend);
  return cards.map((card, index) => ({
    domain,
    address: { domid: domain.domid, card: index, backendDomid },
    card,
  }));
}
