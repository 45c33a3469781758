// SPDX-License-Identifier: MIT
/**
 * The XenBus hand-shake of one virtual card, the backend's side: a pure function from both ends' states, and what the daemon knows of
 * the card, to the next action. `VirtualCard` keeps the facts and carries out the action.
 *
 * The phases, each with the state that the backend has written, and the actions that lead from one to another:
 *
 *       found, new ──────── adopt ─────────────────────────────╮
 *         │                                                    │
 *     initWait                                                 ▼
 *         │             wait, connect (frontend Initialised)
 *         ╰──▶ waiting ────────────────────────────────────▶ connected ──╮
 *             InitWait ◀──────────── startOver ───────────── Connected   │ restate
 *              │    ▲   (frontend gone, or published anew)       ▲       │
 *      connect │    │ forgive                                    ╰───────╯
 *    has failed│    │ (frontend has left Initialised)
 *              ▼    │
 *             refused
 *             Closing
 *
 *       any phase ── close ──▶ Closed      the toolstack detaches the card (online=0)
 *       any phase ── removed, replaced     the toolstack has removed the card, or made another in its place
 *
 * A card is new if the toolstack has just made it, and found if a former daemon had begun with it. A found card may be of a domain that
 * is dead: if the toolstack makes another card in its place, the backend's state is Initialising, as that of no found card.
 *
 * In the phase waiting the backend also writes InitWait again (initWait) when something else has written another state, and writes
 * the frontend's Initialising for a guest that takes a fresh card for a detached one (remind).
 *
 * snd_xen_front starts over, with new rings, whenever it sees InitWait. So the backend returns to InitWait when the frontend goes.
 * A daemon that starts adopts the rings that its predecessor left, if it can: a driver that starts over while a program has its PCM
 * open uses freed memory (Linux 6.1: alsa_hw_free after device_del), and its kernel crashes. A guest that is slow to notice a new card
 * sees InitWait twice and publishes its rings twice, mostly under the same numbers. So the backend connects only after the frontend
 * has written nothing for a while.
 *
 * snd_xen_front registers its card at index 0, so a guest's second card fails, goes to Closing as soon as it is connected, and starts
 * over at the next InitWait, for ever. The backend parks such a card in Closing, which the driver ignores, and offers it again after
 * a while that doubles each time, or as soon as the driver is loaded anew.
 */
import { XenbusState } from "../xenbus/mod.ts";

/** What XenStore says of a card. */
export interface CardEnds {
  /** The backend's state, which the toolstack writes too; undefined if the toolstack has removed the card. */
  readonly backend: XenbusState | undefined;
  /** The frontend's state, which the guest writes as it likes; undefined if there is none. */
  readonly frontend: XenbusState | undefined;
  /** Whether the toolstack detaches the card. */
  readonly isOffline: boolean;
}

/** How far the daemon is with a card: see the drawing above. */
export type Phase = "new" | "found" | "waiting" | "refused" | "connected";

/** What the daemon knows of a card. */
export interface CardFacts {
  readonly phase: Phase;
  /** Whether the toolstack has just made the card, and the frontend has yet to find it. */
  readonly isFresh: boolean;
  /** Whether the frontend has published rings since it was connected. */
  readonly hasPublishedAnew: boolean;
  /** For how long the rings must not be taken yet, ms; 0 or less: they may be taken. */
  readonly dwellMs: number;
  /** For how long the card is not offered again to a frontend that leaves as soon as it is connected, ms; 0 or less: offered. */
  readonly offerMs: number;
}

export type Action =
  /** Both ends are in step, or the next move is the frontend's. */
  | "none"
  /** Disconnect: the toolstack has removed the card. */
  | "removed"
  /** Disconnect: the toolstack has put another card in its place. */
  | "replaced"
  /** Disconnect, and write Closed. */
  | "close"
  /** Go on with the rings of a frontend that a former daemon had connected; if that fails, as initWait. */
  | "adopt"
  /** Write InitWait, and look again. */
  | "initWait"
  /** Write Connected again, and look again: XenStore was lost while the card was connected. */
  | "restate"
  /** Disconnect, write InitWait, or Closing if the card is to be offered later, and look again. */
  | "startOver"
  /** Write Initialising for the frontend, whose guest takes the card for one that was detached. */
  | "remind"
  /** Take the refused frontend for a new one, and look again. */
  | "forgive"
  /** Look again after the dwell, or when the card is offered again. */
  | "wait"
  /** Take the rings that the frontend has published, and write Connected. */
  | "connect";

/** The phase of a card that a daemon comes upon with its backend in this state. */
export function firstPhase(backend: XenbusState | undefined): Phase {
  return backend === XenbusState.Initialising ? "new" : "found";
}

/** Whether the toolstack has put a new card in the place of the one that the daemon is in `phase` with. */
export function isReplaced(backend: XenbusState | undefined, phase: Phase): boolean {
  return phase !== "new" && backend === XenbusState.Initialising;
}

export function nextAction({ backend, frontend, isOffline }: CardEnds, facts: CardFacts): Action {
  const { phase, isFresh, hasPublishedAnew, dwellMs, offerMs } = facts;
  if (backend === undefined) return "removed";
  if (isReplaced(backend, phase)) return "replaced";
  if (isOffline) return "close";
  switch (phase) {
    case "new":
    case "found": {
      // A former daemon has just said Connected: the driver makes its card, and says Connected in a moment.
      const isAboutTo = backend === XenbusState.Connected && frontend === XenbusState.Initialised;
      return frontend === XenbusState.Connected || isAboutTo ? "adopt" : "initWait";
    }
    case "connected": {
      if (backend === XenbusState.InitWait) return "restate";
      const isInStep = frontend === XenbusState.Connected || frontend === XenbusState.Initialised;
      return isInStep && !hasPublishedAnew ? "none" : "startOver";
    }
    case "refused":
      if (frontend === XenbusState.Closed && isFresh) return "remind";
      return frontend === XenbusState.Initialised ? "none" : "forgive";
    case "waiting":
      if (frontend === XenbusState.Closed && isFresh) return "remind";
      if (backend !== XenbusState.InitWait) {
        // Initialising: the driver was loaded anew.
        return offerMs > 0 && frontend !== XenbusState.Initialising ? "wait" : "initWait";
      }
      if (frontend !== XenbusState.Initialised) return "none";
      return dwellMs > 0 ? "wait" : "connect";
  }
}
