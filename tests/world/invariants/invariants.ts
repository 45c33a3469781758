// SPDX-License-Identifier: MIT
/** The invariants of a world: what must hold after every event, and what must hold once everybody has gone home. */
import type { World } from "../world.ts";
import { withinBounds } from "./allowed.ts";
import { guestsApart } from "./delays.ts";
import { framesAccounted } from "./counters.ts";
import { heardInFull } from "./heard_in_full.ts";
import { requestsAnswered } from "./guest_accounts.ts";
import { operatorsServed } from "./operators.ts";
import { soundGoesOn } from "./positions.ts";
import { backAtTheBeginning, nothingStale, statesKnown } from "./rest.ts";
import { settingsInForce } from "./settings.ts";
import { withinLimits } from "./limits.ts";
import { logKept } from "./log_kept.ts";
import type { InvariantName } from "./statements.ts";
import { refusalsTold } from "./refusals_told.ts";
import { turnsBounded } from "./turns.ts";

/** An invariant that was broken. */
export interface Violation {
  /** `worldItself`: the world cannot go on. */
  readonly name: InvariantName | "worldItself";
  readonly text: string;
  /** How many events had happened before. */
  readonly event: number;
}

export interface Invariant {
  readonly name: InvariantName;
  /** What is wrong; undefined: nothing. */
  check(world: World, when: "event" | "end"): string | undefined;
}

/** The invariants that a look at the world finds broken; the others are noticed as things happen. */
export const CHECKS: readonly Invariant[] = [
  requestsAnswered,
  withinBounds,
  withinLimits,
  turnsBounded,
  guestsApart,
  nothingStale,
  statesKnown,
  settingsInForce,
  // By the settings that the look before has found.
  soundGoesOn,
  operatorsServed,
  logKept,
  refusalsTold,
  framesAccounted,
  heardInFull,
  backAtTheBeginning,
];
