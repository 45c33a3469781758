// SPDX-License-Identifier: MIT
/** Which cards `provision` is to make: those of a file, or one for a domain. */
import { Exit, XsndError } from "../../base/error.ts";
import { type Domain, resolveDomain } from "../../xenbus/mod.ts";
import type { StoreView } from "../../xen/ports.ts";
import { type CardConfig, type Config, DEFAULT_BACKEND, defaultCard, Limits } from "../model/card.ts";
import type { WantedCard } from "./plan.ts";
import { textProblem } from "../model/node_text.ts";

/** One card for `domain`, on one ALSA device. Throws {@link XsndError} for a domain or device that cannot be. */
export function defaultCardFor(view: StoreView, domain: string, device: string): WantedCard[] {
  const problem = textProblem(device, Limits.textOctets, "comma");
  if (problem !== undefined) {
    throw new XsndError(
      `the device ${JSON.stringify(device)} ${problem}; name an ALSA PCM, or dummy:`,
      Exit.usage,
    );
  }
  return cardsFor(view, resolveDomain(view, domain), DEFAULT_BACKEND, [defaultCard(device)]);
}

/**
 * All cards of `config`, or those of one domain. Throws {@link XsndError} (exit 1) if a domain does not exist, if the
 * one asked for is not in the file, or if the file has a domain by name and by number.
 */
export function cardsOfFile(view: StoreView, config: Config, file: string, only?: string): WantedCard[] {
  const asked = only === undefined ? undefined : resolveDomain(view, only);
  const entries = [...config].filter(([name]) =>
    asked === undefined || name === asked.name || name === `${asked.domid}`
  )
    .map(([name, guest]) => ({ name, guest, domain: asked ?? resolveDomain(view, name) }));
  if (asked !== undefined && entries.length === 0) {
    const known = [...config.keys()].join(", ");
    throw new XsndError(`${file} has no cards for ${asked.name}; it has some for ${known}`, Exit.failed);
  }
  const twice = entries.find(({ domain }, index) =>
    entries.findIndex((entry) => entry.domain.domid === domain.domid) < index
  );
  if (twice !== undefined) {
    throw new XsndError(
      `${file} has ${twice.domain.name} twice, by name and by number (${twice.domain.domid}); leave one of them`,
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
