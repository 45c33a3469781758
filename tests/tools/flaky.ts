// SPDX-License-Identifier: MIT
/**
 * Tests that passed at a later try. A retry hides a race that shows once in three runs, so each one is noted, listed at the end of
 * the run, and too many of them fail the run.
 */

/** The file that notes go to, of a run that counts them. */
const VARIABLE = "XSND_FLAKY_LOG";

/** Cases that one run may have to try again, on a machine that others use too. */
export const FLAKY_BUDGET = 3;

/** The same in the lab, where an emulator plays sound in real time and a slow moment of the machine is an underrun. */
export const LAB_FLAKY_BUDGET = 6;

/** The cases that `notes` are about: a case that failed twice is one. */
export function flakyCases(notes: readonly string[]): number {
  return new Set(notes.map((note) => note.split(": ", 1)[0])).size;
}

/** Notes that `what` has failed and is tried again because of `error`. Without a run that counts, the note goes to stderr. */
export function noteFlaky(what: string, error: unknown): void {
  const reason = (error instanceof Error ? error.message : String(error)).trim().split("\n", 1)[0];
  const line = `${what}: ${reason.slice(0, 300)}`;
  const file = Deno.env.get(VARIABLE);
  if (file === undefined) console.error(`flaky: ${line}`);
  else Deno.writeTextFileSync(file, `${line}\n`, { append: true });
}

/** Where in the tests the caller's caller stands: `tests/sandbox/play_test.ts:88`. */
export function testLocation(): string {
  const frames = (new Error().stack ?? "").split("\n").slice(1);
  const place = frames.map((frame) => /(tests\/\S+_test\.ts:\d+):\d+/.exec(frame)?.[1]).find(Boolean);
  return place ?? "an unknown test";
}

/** Collects the notes of the processes that are started with {@link environment}. */
export class FlakyLog implements Disposable {
  readonly #file = Deno.makeTempFileSync({ prefix: "xsnd-flaky-" });

  get environment(): Record<string, string> {
    return { [VARIABLE]: this.#file };
  }

  get notes(): string[] {
    return Deno.readTextFileSync(this.#file).split("\n").filter((line) => line !== "");
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#file);
  }
}

/** The lines that tell of `notes`; whether they are within the `budget` is for the caller to judge. */
export function flakySummary(notes: readonly string[], budget = FLAKY_BUDGET): string {
  return [`flaky: ${flakyCases(notes)} (at most ${budget})`, ...notes.map((note) => `  ${note}`)].join(
    "\n",
  );
}
