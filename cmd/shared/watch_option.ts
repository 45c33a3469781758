// SPDX-License-Identifier: MIT
/** `--watch` of `list`, `show` and `status`: a table that follows the changes on a terminal, lines of JSON anywhere else. */
import { type Watched, watchLines } from "../../lib/observe/watch.ts";
import { Screen } from "../../lib/observe/screen.ts";
import { interruptible, untilAborted } from "../../lib/base/signals.ts";
import { printJsonLine } from "./output.ts";

export const WATCH_FLAG = "--watch";
export const WATCH_HELP =
  "follow the changes until Ctrl-C or q: as a table on a terminal, otherwise or with --json as lines of JSON, the result " +
  "first and then each change";

/** The longest time that a screen waits for a key at once, ms. */
const LONG_MS = 1_000_000_000;

/** Prints the lines of {@link watchLines} until SIGINT or SIGTERM, which end the command with exit code 130. */
export function printWatch<T, N extends string>(
  watched: Watched<T, N>,
  looks: AsyncIterable<readonly T[]>,
): Promise<void> {
  return interruptible(async (signal) => {
    for await (const line of watchLines(watched, untilAborted(looks, signal))) printJsonLine(line);
  });
}

/** Whether `--watch` shows a table. */
export function isLive(wantsJson: boolean): boolean {
  return !wantsJson && Deno.stdout.isTerminal();
}

/**
 * Shows what `draw` makes of each look, at the width of the screen, until the user presses q. The first line is a header. SIGINT and
 * SIGTERM end the command with exit code 130.
 */
export function showWatch<T>(
  looks: AsyncIterable<readonly T[]>,
  draw: (things: readonly T[], width: number) => readonly string[],
): Promise<void> {
  return interruptible(async (signal) => {
    using screen = new Screen();
    let last: readonly T[] | undefined;
    const show = () => {
      if (last !== undefined) screen.draw(draw(last, screen.size.columns), 0);
    };
    const isDone = Promise.withResolvers<"done">();
    const follow = async () => {
      for await (const things of untilAborted(looks, signal)) {
        last = things;
        show();
      }
      isDone.resolve("done");
    };
    follow().catch(isDone.reject);
    for (;;) {
      const event = await Promise.race([isDone.promise, screen.pause(LONG_MS, signal)]);
      if (event === "done" || event === "q") return;
      if (signal.aborted) await isDone.promise; // throws
      show();
    }
  });
}

/** `looks` with each thing converted. */
export async function* converted<A, B>(
  looks: AsyncIterable<readonly A[]>,
  convert: (thing: A) => B,
): AsyncGenerator<B[]> {
  for await (const things of looks) yield things.map(convert);
}
