// SPDX-License-Identifier: MIT
/** Follows a set of cards or streams: tells all of them first, then each change. */

/** A line of `--watch` for things of the kind N, `card` or `stream`. */
export type WatchLine<T, N extends string> =
  | { readonly version: number; readonly time: string; readonly event: "state" }
    & Record<`${N}s`, readonly T[]>
  | { readonly version: number; readonly time: string; readonly event: "added" | "changed" | "removed" }
    & Record<N, T>;

export interface Watched<T, N extends string> {
  readonly noun: N;
  /** The version of the lines' shape. */
  readonly version: number;
  /** Identifies a thing across looks. */
  key(thing: T): string;
  /** The part of a thing whose difference is a change. By default the whole thing. */
  steady?(thing: T): unknown;
}

/** Yields the state at the first look, and the differences at each further look. A removed thing is told as at its last look. */
export async function* watchLines<T, N extends string>(
  { noun, version, key, steady = (thing) => thing }: Watched<T, N>,
  looks: AsyncIterable<readonly T[]>,
): AsyncGenerator<WatchLine<T, N>> {
  let before: Map<string, T> | undefined;
  const line = (event: string, what: object) =>
    ({ version, time: new Date().toISOString(), event, ...what }) as WatchLine<T, N>;
  const isSame = (a: T, b: T) => JSON.stringify(steady(a)) === JSON.stringify(steady(b));
  for await (const things of looks) {
    const now = new Map(things.map((thing) => [key(thing), thing]));
    if (before === undefined) yield line("state", { [`${noun}s`]: things });
    else {
      for (const [name, thing] of before) if (!now.has(name)) yield line("removed", { [noun]: thing });
      for (const [name, thing] of now) {
        const former = before.get(name);
        if (former === undefined) yield line("added", { [noun]: thing });
        else if (!isSame(former, thing)) yield line("changed", { [noun]: thing });
      }
    }
    before = now;
  }
}
