// SPDX-License-Identifier: MIT
/** Waiting for cards to be served, and for guests to connect to theirs, as both ends' states in XenStore tell. */
import { Exit, XsndError } from "../../base/error.ts";
import {
  type CardAddress,
  type CardPaths,
  type Domain,
  readState,
  stateName,
  untilInStore,
  XenbusState,
} from "../../xenbus/mod.ts";
import type { Store, StoreView } from "../../xen/ports.ts";

/**
 * What a toolstack can wait for: `initwait`, as `xl vsnd-attach` does, that a backend has taken the card up, whether its guest
 * has found it or not; `connected`, that both ends are.
 */
export const CARD_GOALS = ["initwait", "connected"] as const;
export type CardGoal = typeof CARD_GOALS[number];

/** How a card that has not reached the goal is told of. */
const SHORT_OF: Readonly<Record<CardGoal, string>> = {
  initwait: "is taken up by no backend",
  connected: "is not connected",
};

export interface AwaitedCard {
  readonly domain: Domain;
  readonly address: CardAddress;
  readonly paths: CardPaths;
}

interface States {
  readonly frontend: XenbusState | undefined;
  readonly backend: XenbusState | undefined;
}

export function statesOf(view: StoreView, { paths }: AwaitedCard): States {
  return { frontend: readState(view, paths.frontend), backend: readState(view, paths.backend) };
}

export function hasReached({ frontend, backend }: States, goal: CardGoal): boolean {
  const { InitWait, Connected } = XenbusState;
  return goal === "connected"
    ? frontend === Connected && backend === Connected
    : backend === InitWait || backend === Connected;
}

/**
 * Waits until all of `cards` have reached `goal`. Throws {@link XsndError} (exit 124) after `timeoutMs`, with a line for each
 * that has not: how it is, and what to do.
 */
export async function awaitCards(
  store: Store,
  cards: readonly AwaitedCard[],
  goal: CardGoal,
  timeoutMs: number,
): Promise<void> {
  const late = () => cards.filter((card) => !hasReached(statesOf(store, card), goal));
  const paths = cards.flatMap(({ paths }) => [`${paths.frontend}/state`, `${paths.backend}/state`]);
  const done = await untilInStore(store, paths, () => late().length === 0 || undefined, timeoutMs);
  if (done) return;
  const messages = late().map((card) => describeLate(store, card, goal, timeoutMs));
  if (messages.length > 0) throw new XsndError(messages.join("\n"), Exit.timedOut);
}

/** Why a card has not reached `goal` in time, in a line. */
export function describeLate(view: StoreView, card: AwaitedCard, goal: CardGoal, timeoutMs: number): string {
  const { domain, address } = card;
  const states = statesOf(view, card);
  return `card ${address.card} of ${domain.name} ${SHORT_OF[goal]} after ${
    timeoutMs / 1000
  } s: its frontend is ` +
    `${stateName(states.frontend)}, its backend ${stateName(states.backend)}; ${advice(states, card)}`;
}

/** What to do about a card that is in these states. */
function advice({ frontend, backend }: States, { domain, address }: AwaitedCard): string {
  const { Initialising, InitWait, Connected, Closing } = XenbusState;
  const { name } = domain;
  if (frontend === undefined || backend === undefined) {
    return `it has been taken away: \`xsnd provision ${name}\` gives it back`;
  }
  if (backend === Initialising) {
    const where = address.backendDomid === 0 ? "" : ` in domain ${address.backendDomid}`;
    return `no daemon serves it: start \`xsnd serve\`${where}, or look at the log of the one that runs`;
  }
  if (backend === InitWait && (frontend === Initialising || frontend > Connected)) {
    return `its guest does not take it: is ${name} running, and its driver loaded (\`modprobe snd_xen_front\` there)?`;
  }
  if (backend === InitWait || backend === Connected) {
    return "its two ends do not come together: look at the daemon's log, and at the guest's (`dmesg | grep vsnd` there)";
  }
  return backend === Closing
    ? "the daemon refuses its guest's rings, or it is being detached: look at the daemon's log"
    : `it has been detached: \`xsnd deprovision ${name} ${address.card}\`, and provision it again`;
}
