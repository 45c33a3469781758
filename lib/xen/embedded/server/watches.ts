// SPDX-License-Identifier: MIT
/** Who is told when a node changes (xenstored_watch.c). */
import type { Permission } from "../../ports.ts";
import { absolutePath, domainPath, isSpecial, isWithin, XENSTORE_REL_PATH_MAX } from "./store_paths.ts";
import { isUnprivileged, Right, rightsOf, type Subject } from "./permissions.ts";
import { type Change, Quota } from "./view.ts";
import { XsError } from "./wire.ts";

/** A connection, as watches see it. */
export interface Watcher {
  readonly subject: Subject;
  /** @param path as the watcher named the watched path: relative if that was */
  watchEvent(path: string, token: string): void;
}

interface Watch {
  readonly watcher: Watcher;
  /** Absolute, or special. */
  readonly path: string;
  readonly token: string;
  /** How many characters of an absolute path the watcher does not want to see. */
  readonly strip: number;
}

export class Watches {
  readonly #watches = new Set<Watch>();

  /**
   * Adds a watch and returns what fires its first event, at once, as every watch gets one.
   * EEXIST if the watcher has the same already; E2BIG if its domain has too many.
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

  /** ENOENT if the watcher has no such watch. */
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

  /** Tells those watches that a node changed whose owners may know of it. */
  fire({ path, exact, permissions }: Change): void {
    for (const watch of this.#watches) {
      const { watcher, token, strip } = watch;
      const matches = exact ? path === watch.path : isWithin(path, watch.path);
      const mayRead = (list: readonly Permission[]) => rightsOf(watcher.subject, list) & Right.READ;
      if (matches && permissions.some(mayRead)) watcher.watchEvent(path.slice(strip), token);
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
