// SPDX-License-Identifier: MIT
/** The watches of all connections: tells the watchers of a changed node (xenstored_watch.c). */
import type { Permission } from "../../ports.ts";
import { absolutePath, domainPath, isSpecial, isWithin, XENSTORE_REL_PATH_MAX } from "./store_paths.ts";
import { isUnprivileged, Right, rightsOf, type Subject } from "./permissions.ts";
import { type Change, Quota } from "./view.ts";
import { XsError } from "./wire.ts";

/** A connection, as its watches see it. */
export interface Watcher {
  readonly subject: Subject;
  /** @param path relative if the watcher named the watched path so */
  watchEvent(path: string, token: string): void;
}

interface Watch {
  readonly watcher: Watcher;
  /** An absolute path, or a special event. */
  readonly path: string;
  readonly token: string;
  /** How many characters to strip from an absolute path for a watcher of a relative one. */
  readonly strip: number;
}

export class Watches {
  readonly #watches = new Set<Watch>();

  /**
   * Adds a watch. Returns a function that fires the watch's first event, which every watch gets at once. Throws EEXIST if the
   * watcher has an equal watch, E2BIG if its domain has too many.
   */
  add(watcher: Watcher, path: string, token: string): () => void {
    const { domid } = watcher.subject;
    const absolute = watchedPath(path, domid);
    if (this.#find(watcher, absolute, token)) throw new XsError("EEXIST");
    if (isUnprivileged(watcher.subject) && this.#countOf(domid) >= Quota.watches) throw new XsError("E2BIG");
    const strip = absolute === path ? 0 : domainPath(domid).length + 1;
    this.#watches.add({ watcher, path: absolute, token, strip });
    return () => watcher.watchEvent(path, token);
  }

  /** Removes a watch. Throws ENOENT if the watcher has no such watch. */
  remove(watcher: Watcher, path: string, token: string): void {
    const watch = this.#find(watcher, watchedPath(path, watcher.subject.domid), token);
    if (!watch) throw new XsError("ENOENT");
    this.#watches.delete(watch);
  }

  removeAll(watcher: Watcher): void {
    for (const watch of this.#watches) {
      if (watch.watcher === watcher) this.#watches.delete(watch);
    }
  }

  /** Fires the watches of a changed node whose watchers may read the node. */
  fire({ path, exact, permissions }: Change): void {
    for (const watch of this.#watches) {
      if (!(exact ? path === watch.path : isWithin(path, watch.path))) continue;
      const { watcher, token, strip } = watch;
      const mayRead = (list: readonly Permission[]) => rightsOf(watcher.subject, list) & Right.READ;
      if (permissions.some(mayRead)) watcher.watchEvent(path.slice(strip), token);
    }
  }

  #find(watcher: Watcher, path: string, token: string): Watch | undefined {
    for (const watch of this.#watches) {
      if (watch.watcher === watcher && watch.path === path && watch.token === token) return watch;
    }
  }

  #countOf(domid: number): number {
    let count = 0;
    for (const { watcher } of this.#watches) if (watcher.subject.domid === domid) count++;
    return count;
  }
}

function watchedPath(path: string, domid: number): string {
  if (!isSpecial(path)) return absolutePath(path, domid);
  if (path.length > XENSTORE_REL_PATH_MAX) throw new XsError("EINVAL");
  return path;
}
