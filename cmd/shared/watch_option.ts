// SPDX-License-Identifier: MIT
/** `--watch` of `list`, `show` and `status`. */
import { type Watched, watchLines } from "../../lib/observe/watch.ts";
import { interruptible, untilAborted } from "../../lib/base/signals.ts";
import { printJsonLine } from "./output.ts";

export const WATCH_FLAG = "--watch";
export const WATCH_HELP = "print all as a line of JSON, and then each change, until Ctrl-C";

/** Prints what is watched, line by line, until SIGINT or SIGTERM, which are exit code 130. */
export function printWatch<T, N extends string>(
  watched: Watched<T, N>,
  looks: AsyncIterable<readonly T[]>,
): Promise<void> {
  return interruptible(async (signal) => {
    for await (const line of watchLines(watched, untilAborted(looks, signal))) printJsonLine(line);
  });
}

/** Each of `looks` through `convert`, thing by thing. */
export async function* converted<A, B>(
  looks: AsyncIterable<readonly A[]>,
  convert: (thing: A) => B,
): AsyncGenerator<B[]> {
  for await (const things of looks) yield things.map(convert);
}
