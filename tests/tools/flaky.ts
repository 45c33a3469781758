// SPDX-License-Identifier: MIT
/**
 * Notes tests that passed at a later try. A retry hides a race that shows once in three runs. Therefore a run lists every retry
 * at its end, and too many retries fail the run.
 */

/** Environment variable: the file for the notes of a run that counts them. */
const VARIABLE = "XSND_FLAKY_LOG";

/** The most cases that one run may try again. The machine may be busy with other work. */
export const FLAKY_BUDGET = 3;

/** The same for the lab: an emulator plays sound in real time there, and a slow moment of the machine is an underrun. */
export const LAB_FLAKY_BUDGET = 6;

/** The number of different cases in `notes`. A case that failed twice counts once. */
export function flakyCases(notes: readonly string[]): number {
  return new Set(notes.map((note) => note.split(": ", 1)[0])).size;
}

/** Notes that `what` failed with `error` and is tried again. Outside of a run that counts, the note goes to stderr. */
export function noteFlaky(what: string, error: unknown): void {
  const reason = (error instanceof Error ? error.message : String(error)).trim().split("\n", 1)[0];
  const line = `${what}: ${reason!.slice(0, 300)}`;
  const file = Deno.env.get(VARIABLE);
  if (file === undefined) console.error(`flaky: ${line}`);
  else Deno.writeTextFileSync(file, `${line}\n`, { append: true });
}

/** The nearest line of a test file on the call stack: `tests/sandbox/play_test.ts:88`. */
export function testLocation(): string {
  const frames = (new Error().stack ?? "").split("\n").slice(1);
  const place = frames.map((frame) => /(tests\/\S+_test\.ts:\d+):\d+/.exec(frame)?.[1]).find(Boolean);
  return place ?? "an unknown test";
}

/** Collects the notes of processes that have {@link environment}. */
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

/** The lines of a run's summary about `notes`. The caller judges whether they are within `budget`. */
export function flakySummary(notes: readonly string[], budget = FLAKY_BUDGET): string {
  return [`flaky: ${flakyCases(notes)} (at most ${budget})`, ...notes.map((note) => `  ${note}`)].join(
    "\n",
  );
}
