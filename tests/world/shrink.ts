// SPDX-License-Identifier: MIT
/**
 * Makes a script that fails shorter, while it still fails in the same way: delta debugging (Zeller's ddmin) over the events, then
 * shorter waits. Each trial is a whole world, so the number of trials is bounded.
 */
import type { Script, WorldEvent } from "./script.ts";

/**
 * @param fails whether the world of a script fails in the way that is looked for
 * @param trials the most worlds that are tried
 */
export async function shrink(
  script: Script,
  fails: (script: Script) => Promise<boolean>,
  trials = 400,
): Promise<Script> {
  let { events } = script;
  let left = trials;
  const works = async (candidate: readonly WorldEvent[]) => {
    if (left-- <= 0 || !await fails({ ...script, events: candidate })) return false;
    events = candidate;
    return true;
  };
  for (let size = Math.ceil(events.length / 2); size >= 1 && left > 0;) {
    let removed = false;
    for (let from = 0; from < events.length && left > 0;) {
      // The time of what is left out passes all the same.
      if (await works(without(events, from, size)) || await works(cut(events, from, size))) removed = true;
      else from += size;
    }
    if (!removed || size > 1) size = size === 1 ? 0 : Math.max(1, Math.floor(size / 2));
  }
  for (let i = 0; i < events.length && left > 0; i++) {
    for (const wait of [0, 1000, 100_000]) {
      if (wait >= events[i]!.wait) break;
      if (await works(events.map((event, at) => at === i ? { ...event, wait } : event))) break;
    }
  }
  return { ...script, events };
}

function cut(events: readonly WorldEvent[], from: number, size: number): readonly WorldEvent[] {
  return [...events.slice(0, from), ...events.slice(from + size)];
}

function without(events: readonly WorldEvent[], from: number, size: number): readonly WorldEvent[] {
  const gone = events.slice(from, from + size).reduce((sum, { wait }) => sum + wait, 0);
  const [next, ...rest] = events.slice(from + size);
  if (next === undefined) return events.slice(0, from);
  return [...events.slice(0, from), { ...next, wait: next.wait + gone }, ...rest];
}
