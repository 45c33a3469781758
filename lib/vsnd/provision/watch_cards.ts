// SPDX-License-Identifier: MIT
/** The cards that XenStore knows, followed by its watches. */
import type { Store, StoreView, StoreWatch } from "../../xen/ports.ts";
import type { PresentCard } from "../nodes/inventory.ts";

/** A card is written node by node; it is read once for what comes together. */
const QUIET_MS = 20;

/**
 * Yields what `read` gives, at once and whenever something at or below `root`, or in one of those cards' directories, has changed.
 * Throws StoreError when XenStore is lost. Leaving the loop ends the watches.
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
  /** Watches these paths, and none besides. */
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
      news.promise.catch(() => {}); // it may be lost while nobody waits
      // In a transaction: half of a card that comes or goes is none.
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
