// SPDX-License-Identifier: MIT
/** What a planted defect is: one small change of text in one file of the program. */

/**
 * The invariants that find the defects: those of `invariants.ts`, which are checked after each event, and three that the world
 * checks as things happen. `playedOnce`: no frame is played twice. `heardWhereAllowed`: a stream reaches the devices that it may
 * use, and a denied stream none. `noDefect`: no process fails, and none uses what was unmapped, closed or given to somebody else.
 */
export const INVARIANTS = [
  "requestsAnswered",
  "framesAccounted",
  "playedOnce",
  "heardWhereAllowed",
  "withinBounds",
  "settingsInForce",
  "backAtTheBeginning",
  "noDefect",
  "nothingStale",
  "statesKnown",
  "turnsBounded",
] as const;

/** One of {@link INVARIANTS}. */
export type Invariant = typeof INVARIANTS[number];

/** A defect to be planted in a copy of the program. */
export interface Mutation {
  readonly name: string;
  /** What is wrong, in one line. */
  readonly sentence: string;
  /** The file, below the project's folder. */
  readonly file: string;
  /** The text to be replaced, which stands in the file once. */
  readonly find: string;
  readonly replace: string;
  /** The invariant that is expected to find the defect. */
  readonly finds: Invariant;
  /** A unit test file that fails with the defect; undefined: none does. */
  readonly test?: string;
}
