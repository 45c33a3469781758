// SPDX-License-Identifier: MIT
/** Waiting for something to come true in XenStore. */
import type { Store } from "../xen/ports.ts";

/**
 * Looks at once, and again after each change at or below one of `paths`, until `look` gives something, and returns that;
 * undefined if it has not within `timeoutMs`. What `look` throws ends it.
 */
export async function untilInStore<T>(
  store: Store,
  paths: readonly string[],
  look: () => T | undefined,
  timeoutMs: number,
): Promise<T | undefined> {
  const expired = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => expired.resolve(undefined), timeoutMs);
  try {
    using watches = new DisposableStack();
    const events = paths.map((path) => watches.use(store.watch(path))[Symbol.asyncIterator]());
    const next = async (i: number) => ({ i, ended: (await events[i].next()).done });
    const pending = events.map((_, i) => next(i));
    while (true) {
      const found = look();
      if (found !== undefined) return found;
      const change = await Promise.race([...pending, expired.promise]);
      if (change === undefined) return look();
      if (change.ended) throw new Error(`the watch on ${paths[change.i]} ended by itself`);
      pending[change.i] = next(change.i);
    }
  } finally {
    clearTimeout(timer);
  }
}
