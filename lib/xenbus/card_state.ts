// SPDX-License-Identifier: MIT
/**
 * What the XenBus states of a card's two ends mean together, for those who provision, detach and wait: one table, pure. Each
 * end's state has a row, and the two rows together give the phase.
 */
import { type CardStates, XenbusState } from "./state.ts";

/**
 * - `removed`: an end has no directory.
 * - `unserved`: the toolstack has made the card, and no backend has taken the card up.
 * - `offered`: the backend waits, and the guest's driver has not begun, or has left.
 * - `connecting`: both ends are there, and at least one is not connected.
 * - `connected`: both ends are connected.
 * - `closing`: the backend is closing.
 * - `closed`: the backend has closed, or is in a state that no backend of ours writes.
 */
export type CardPhase =
  | "removed"
  | "unserved"
  | "offered"
  | "connecting"
  | "connected"
  | "closing"
  | "closed";

/**
 * - `none`: no backend has begun with the card.
 * - `claimed`: a backend may have the guest's memory mapped and devices open. Before removal, it must be asked to close.
 * - `released`: the backend has given everything back, or has no directory.
 */
export type BackendClaim = "none" | "claimed" | "released";

export interface CardMeaning {
  readonly phase: CardPhase;
  readonly claim: BackendClaim;
  /** Whether a backend has taken the card up and offers it, as `xl vsnd-attach` waits for. */
  readonly isTakenUp: boolean;
  /**
   * Whether an end may go by the card's nodes, so that they must not change. Either end's state is enough: the guest can
   * write what it likes into its own.
   */
  readonly isInUse: boolean;
}

/** What the frontend's state tells of the guest's driver. */
type Driver = "gone" | "away" | "begun" | "connected";

type FrontendRow = readonly [driver: Driver, isInUse: boolean];

const FRONTEND: Readonly<Record<XenbusState | "absent", FrontendRow>> = {
  absent: ["gone", false],
  [XenbusState.Unknown]: ["begun", false],
  [XenbusState.Initialising]: ["away", false],
  [XenbusState.InitWait]: ["begun", false],
  [XenbusState.Initialised]: ["begun", true],
  [XenbusState.Connected]: ["connected", true],
  [XenbusState.Closing]: ["away", true],
  [XenbusState.Closed]: ["away", false],
  [XenbusState.Reconfiguring]: ["away", true],
  [XenbusState.Reconfigured]: ["away", true],
};

type BackendRow = readonly [
  claim: BackendClaim,
  isTakenUp: boolean,
  isInUse: boolean,
  /** By the frontend's driver: away, begun, connected. A driver that is gone makes every card `removed`. */
  phases: readonly [away: CardPhase, begun: CardPhase, connected: CardPhase],
];

const closed = ["closed", "closed", "closed"] as const;

const BACKEND: Readonly<Record<XenbusState | "absent", BackendRow>> = {
  absent: ["released", false, false, ["removed", "removed", "removed"]],
  [XenbusState.Unknown]: ["none", false, false, closed],
  [XenbusState.Initialising]: ["none", false, false, ["unserved", "unserved", "unserved"]],
  [XenbusState.InitWait]: ["claimed", true, false, ["offered", "connecting", "connecting"]],
  [XenbusState.Initialised]: ["claimed", false, true, closed],
  [XenbusState.Connected]: ["claimed", true, true, ["connecting", "connecting", "connected"]],
  [XenbusState.Closing]: ["claimed", false, true, ["closing", "closing", "closing"]],
  [XenbusState.Closed]: ["released", false, false, closed],
  [XenbusState.Reconfiguring]: ["claimed", false, true, closed],
  [XenbusState.Reconfigured]: ["claimed", false, true, closed],
};

/** What the pair of states means for the card. */
export function meaningOf({ frontend, backend }: CardStates): CardMeaning {
  const [driver, isUsedByGuest] = FRONTEND[frontend ?? "absent"];
  const [claim, isTakenUp, isUsedByBackend, [away, begun, connected]] = BACKEND[backend ?? "absent"];
  const phases = { gone: "removed", away, begun, connected } as const;
  return { phase: phases[driver], claim, isTakenUp, isInUse: isUsedByGuest || isUsedByBackend };
}

/** The claim that a backend in this state has to the card. */
export function backendClaim(backend: XenbusState | undefined): BackendClaim {
  return BACKEND[backend ?? "absent"][0];
}
