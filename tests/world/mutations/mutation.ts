// SPDX-License-Identifier: MIT
/** What a planted defect is: one small change of text in one file of the program. */

/**
 * The world's invariants, by name. A planted defect names the one that is expected to find it; another one may be first.
 *
 * - `requestsAnswered`: every request gets exactly one answer, in order and in time; positions are right.
 * - `samplesAccounted`: each sample is played once, or stands in a counter with a cause and a place; silence likewise.
 * - `totalsNeverFall`: totals never fall while their card exists; every dry device is counted once.
 * - `deniedSilent`: nothing of a denied stream reaches or leaves a device from the moment the decision is logged.
 * - `withinThePin`: no stream has more than its card was pinned with.
 * - `settingsInForce`: settings hold from their answer until undone; what was cancelled or timed out never happens.
 * - `backAtTheBeginning`: mappings, channels, descriptors, watches, engines and timers are given back.
 * - `noDefect`: no process fails, and none uses what was unmapped, closed or given to somebody else.
 * - `othersUnharmed`: a hostile guest costs the others no sample, and no more than a stated delay.
 * - `nothingStale`: XenStore holds nothing of what has gone, and all that the toolstack has made.
 * - `statesKnown`: every pair of states is one that libxl and the driver know, and a card's ends come together.
 * - `turnsBounded`: no turn of either plane takes more than its bound of virtual work.
 */
export const INVARIANTS = [
  "requestsAnswered",
  "samplesAccounted",
  "totalsNeverFall",
  "deniedSilent",
  "withinThePin",
  "settingsInForce",
  "backAtTheBeginning",
  "noDefect",
  "othersUnharmed",
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
