// SPDX-License-Identifier: MIT
/** `--watch` of `list`, `show` and `status`: prints everything once, then each change, as lines of JSON. */
import { type Watched, watchLines } from "../../lib/observe/watch.ts";
import { interruptible, untilAborted } from "../../lib/base/signals.ts";
import { printJsonLine } from "./output.ts";

export const WATCH_FLAG = "--watch";
export const WATCH_HELP = "print the result as a line of JSON, then a line for each change, until Ctrl-C";

/** Prints the lines of {@link watchLines} until SIGINT or SIGTERM, which end the command with exit code 130. */
export function printWatch<T, N extends string>(
  watched: Watched<T, N>,
  looks: AsyncIterable<readonly T[]>,
): Promise<void> {
  return interruptible(async (signal) => {
    for await (const line of watchLines(watched, untilAborted(looks, signal))) printJsonLine(line);
  });
}

/** `looks` with each thing converted. */
export async function* converted<A, B>(
  looks: AsyncIterable<readonly A[]>,
  convert: (thing: A) => B,
): AsyncGenerator<B[]> {
  for await (const things of looks) yield things.map(convert);
}
