// SPDX-License-Identifier: MIT
/**
 * Tests that passed at a second try. A second try hides a race that shows once in two runs. Therefore a run lists every one at its end,
 * and too many fail the run.
 */

/** The most files that one run may try again. The machine may be busy with other work. */
export const FLAKY_BUDGET = 3;

/** The same for the cases of the lab: an emulator plays sound in real time there, and a slow moment of the machine is an underrun. */
export const LAB_FLAKY_BUDGET = 6;

/** The lines of a run's summary about `notes`, one a second try. The caller judges whether they are within `budget`. */
export function flakySummary(notes: readonly string[], budget: number): string {
  return [`flaky: ${notes.length} (at most ${budget})`, ...notes.map((note) => `  ${note}`)].join("\n");
}
