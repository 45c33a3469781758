// SPDX-License-Identifier: MIT
/** Following the cards in XenStore with watches. */
import type { Store, StoreView, StoreWatch } from "../../xen/ports.ts";
import type { PresentCard } from "../nodes/inventory.ts";

/** Cards are written node by node. Changes that come within this time are read together. */
const QUIET_MS = 20;

/**
 * Yields the cards that `read` returns: at once, and after each change at or below `root` or in the directories of those cards.
 * Throws StoreError when the connection to XenStore is lost. Leaving the loop ends the watches.
 */
export async function* watchCards(
  store: Store,
  root: string,
  read: (view: StoreView) => readonly PresentCard[],
): AsyncGenerator<readonly PresentCard[]> {
  const watches = new Map<string, StoreWatch>();
  let news = Promise.withResolvers<void>();
  const follow = async (watch: StoreWatch) => {
    try {
      for await (const _path of watch) news.resolve();
    } catch (error) {
      news.reject(error);
    }
  };
  /** Watches these paths and no others. */
  const watchOnly = (paths: ReadonlySet<string>) => {
    for (const [path, watch] of watches) {
      if (paths.has(path)) continue;
      watches.delete(path);
      watch[Symbol.dispose]();
    }
    for (const path of paths) {
      if (watches.has(path)) continue;
      const watch = store.watch(path);
      watches.set(path, watch);
      void follow(watch);
    }
  };
  try {
    watchOnly(new Set([root]));
    while (true) {
      news = Promise.withResolvers();
      news.promise.catch(() => {}); // A rejection while nobody awaits the promise must not end the process.
      // One transaction: a card that is half written or half removed must not be seen.
      const cards = store.transaction(read);
      watchOnly(new Set([root, ...cards.flatMap(({ paths }) => [paths.frontend, paths.backend])]));
      yield cards;
      await news.promise;
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    }
  } finally {
    watchOnly(new Set());
  }
}
