// SPDX-License-Identifier: MIT
/** Waiting until daemons serve cards, or until guests have connected to them, by the states of both ends in XenStore. */
import { Exit, XsndError } from "../../base/error.ts";
import {
  type CardAddress,
  type CardPaths,
  type CardPhase,
  type Domain,
  meaningOf,
  readStates,
  stateName,
  untilInStore,
} from "../../xenbus/mod.ts";
import type { Store, StoreView } from "../../xen/ports.ts";

/**
 * What `provision --wait` waits for. `initwait`: a backend has taken the card up, whether or not the guest has found it, which
 * `xl vsnd-attach` waits for too. `connected`: both ends are connected.
 */
export const CARD_GOALS = ["initwait", "connected"] as const;
export type CardGoal = typeof CARD_GOALS[number];

/** How a message says that a card has not reached the goal. */
const SHORT_OF: Readonly<Record<CardGoal, string>> = {
  initwait: "is not taken up by a backend",
  connected: "is not connected",
};

export interface AwaitedCard {
  readonly domain: Domain;
  readonly address: CardAddress;
  readonly paths: CardPaths;
}

/** Whether the card has reached `goal` by now. */
export function hasReached(view: StoreView, { paths }: AwaitedCard, goal: CardGoal): boolean {
  const { phase, isTakenUp } = meaningOf(readStates(view, paths));
  return goal === "connected" ? phase === "connected" : isTakenUp;
}

/**
 * Waits until all of `cards` have reached `goal`. Throws {@link XsndError} (exit 124) after `timeoutMs`: the message has a line
 * for each card that has not, with its states and what to do.
 */
export async function awaitCards(
  store: Store,
  cards: readonly AwaitedCard[],
  goal: CardGoal,
  timeoutMs: number,
): Promise<void> {
  const late = () => cards.filter((card) => !hasReached(store, card, goal));
  const paths = cards.flatMap(({ paths }) => [`${paths.frontend}/state`, `${paths.backend}/state`]);
  const done = await untilInStore(store, paths, () => late().length === 0 || undefined, timeoutMs);
  if (done) return;
  const messages = late().map((card) => describeLate(store, card, goal, timeoutMs));
  if (messages.length > 0) throw new XsndError(messages.join("\n"), Exit.timedOut);
}

/** One line about a card that has not reached `goal` in time: its states, and what to do. */
export function describeLate(view: StoreView, card: AwaitedCard, goal: CardGoal, timeoutMs: number): string {
  const { domain, address } = card;
  const states = readStates(view, card.paths);
  return `card ${address.card} of ${domain.name} ${SHORT_OF[goal]} after ${
    timeoutMs / 1000
  } s: its frontend is ` +
    `${stateName(states.frontend)}, its backend ${stateName(states.backend)}; ${
      advice(meaningOf(states).phase, card)
    }`;
}

/** What to do about a card in this phase. */
function advice(phase: CardPhase, { domain: { name }, address }: AwaitedCard): string {
  switch (phase) {
    case "removed":
      return `the card has been removed: \`xsnd provision ${name}\` gives the guest a card again`;
    case "unserved": {
      const where = address.backendDomid === 0 ? "" : ` in domain ${address.backendDomid}`;
      return `no daemon serves the card: start \`xsnd serve\`${where}, or look at the log of the one that runs`;
    }
    case "offered":
      return `the guest's driver has not taken the card: is ${name} running, and is the driver loaded ` +
        "(`modprobe snd_xen_front` there)?";
    case "connecting":
    case "connected":
      return "the two ends do not come together: look at the daemon's log, and at the guest's " +
        "(`dmesg | grep vsnd` there)";
    case "closing":
      return "the daemon refuses the rings of the guest's driver, or the card is being detached: look at the daemon's log";
    case "closed":
      return `the card has been detached: \`xsnd deprovision ${name} ${address.card}\`, and provision it again`;
  }
}
