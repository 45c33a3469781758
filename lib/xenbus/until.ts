// SPDX-License-Identifier: MIT
/** Waiting for a condition on XenStore. */
import type { Store } from "../xen/ports.ts";

/**
 * Calls `look` at once, and after each change at or below one of `paths`, until `look` returns a value. Resolves to the value,
 * or to undefined after `timeoutMs`. Rejects with the error that `look` throws.
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
    type Events = typeof events[number];
    const next = async (of: Events, i: number) => ({ of, i, ended: (await of.next()).done });
    const pending = events.map(next);
    while (true) {
      const found = look();
      if (found !== undefined) return found;
      const change = await Promise.race([...pending, expired.promise]);
      if (change === undefined) return look();
      if (change.ended) throw new Error(`the watch on ${paths[change.i]} ended by itself`);
      pending[change.i] = next(change.of, change.i);
    }
  } finally {
    clearTimeout(timer);
  }
}
