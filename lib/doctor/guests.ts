// SPDX-License-Identifier: MIT
/** Checking how far each card has got between the guest's driver and the daemon, and what it waits for. */
import { type PresentCard, readCards, recordedDomids } from "../vsnd/nodes/inventory.ts";
import { type CardPhase, domainName, meaningOf, stateName } from "../xenbus/mod.ts";
import type { StoreView } from "../xen/ports.ts";
import { type Check, type Finding, ok, skip, warn } from "./doctor_finding.ts";
import { withCards } from "./xenstore.ts";

const SUBJECT = "guests";

export const guestChecks: readonly Check[] = [{ subject: SUBJECT, run: () => withCards(SUBJECT, examine) }];

function examine(view: StoreView): Finding[] {
  const domains = recordedDomids(view).map((domid) => ({ domid, name: domainName(view, domid) }));
  const cards = domains.flatMap((domain) => readCards(view, domain));
  return cards.length === 0 ? [skip(SUBJECT, "no guest has a card")] : cards.flatMap(ofCard);
}

/** What a card waits for in a phase, and how to go on; undefined where cards.ts has a finding. */
const WAITS: Readonly<
  Record<CardPhase, readonly [what: string, cure: { mend?: string; command?: string }] | undefined>
> = {
  removed: undefined,
  connected: undefined,
  unserved: ["no daemon has taken the card up", { command: "xsnd serve" }],
  offered: ["the daemon waits for the guest's driver", {
    mend:
      "start the guest, and load the driver in it; Linux has it since 4.18, with CONFIG_SND_XEN_FRONTEND. In the guest:",
    command: "modprobe snd_xen_front",
  }],
  connecting: ["the guest's driver and the daemon are about to connect", {
    mend: "if that takes longer than some seconds, the daemon's log says why",
    command: "xsnd logs",
  }],
  closing: ["the daemon gives the card back", {
    mend: "if that takes longer than some seconds, the daemon's log says why",
    command: "xsnd logs",
  }],
  closed: ["the card is closed, and no end begins anew", {
    mend: "load the driver in the guest again, or detach the card and make it anew",
  }],
};

function ofCard({ domain, address, frontendState, backendState }: PresentCard): Finding[] {
  const subject = `${domain.name}/${address.card}`;
  const { phase } = meaningOf({ frontend: frontendState, backend: backendState });
  if (phase === "connected") return [ok(subject, "the guest's driver is connected")];
  const waits = WAITS[phase];
  if (waits === undefined) return [];
  const [what, cure] = waits;
  const states = `frontend ${stateName(frontendState)}, backend ${stateName(backendState)}`;
  return [warn(subject, `${what} (${states})`, cure)];
}
