// SPDX-License-Identifier: MIT
/** What a planted defect is: one small change of text in one file of the program. */

/**
 * What the world must hold, by name. A planted defect names the invariant that is expected to find it; another one may be first.
 *
 * - `denied`: nothing of a denied stream reaches or leaves a device from the moment the decision is logged.
 * - `pinned`: no stream has more than its card was pinned with.
 * - `answers`: every request that deserves an answer gets exactly one, in order, within its bound of time.
 * - `samples`: each sample is played once, or stands in a counter with a cause and a place; silence likewise.
 * - `positions`: positions never go back, never step a buffer, end where the device ended, and each kernel accepts each event.
 * - `operators`: settings are in force from their answer until undone; what was cancelled or timed out never happens.
 * - `totals`: totals never fall while their card exists; every dry device is counted once.
 * - `resources`: mappings, channels, descriptors, watches, engines and timers are within the limits, and are given back.
 * - `ownership`: nothing is unmapped, closed or given to another stream while an engine has it.
 * - `isolation`: a hostile guest costs the others no sample, and no more than a stated delay.
 * - `xenstore`: XenStore holds nothing stale, and every pair of states is one that libxl and the driver know.
 * - `turns`: no turn of either plane takes more than its bound of virtual work.
 */
export const INVARIANTS = [
  "denied",
  "pinned",
  "answers",
  "samples",
  "positions",
  "operators",
  "totals",
  "resources",
  "ownership",
  "isolation",
  "xenstore",
  "turns",
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
