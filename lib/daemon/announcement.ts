// SPDX-License-Identifier: MIT
/**
 * The nodes by which a guest, or a script on the host, sees that the daemon serves, before any card exists:
 *
 *     /local/domain/<backend>/data/xsnd/status    "running"; all domains may read and watch it
 *     /local/domain/<backend>/data/xsnd/pid       for the host alone
 *     /local/domain/<backend>/data/xsnd/version   for the host alone
 *
 * `data` is the one directory that xenstore-paths(7) leaves to a domain for any use, so a driver domain may write there too. The
 * nodes exist while the daemon serves. The daemon removes them when it begins to end. A daemon that starts removes the nodes that a
 * killed one has left, before it takes over any card.
 */
import { getLogger } from "@logtape/logtape";
import { dirname } from "node:path";
import { VERSION } from "../base/version.ts";
import { removeWithEmptyParents } from "../xenbus/mod.ts";
import { type Store, StoreError, type StoreView } from "../xen/ports.ts";

export function announcementPath(domid: number): string {
  return `/local/domain/${domid}/data/xsnd`;
}

export class Announcement implements Disposable {
  readonly #log = getLogger(["xsnd", "announcement"]);
  readonly #path: string;
  /**
   * Whether this daemon removes `data` with the announcement: it made `data`, or found it empty in domain 0, as a daemon that was
   * killed leaves it. A guest's `data` is the toolstack's: a guest could not make it again.
   */
  #isDataOurs = false;

  /** Removes the announcement of a former daemon. */
  constructor(private readonly store: Store, private readonly domid: number) {
    this.#path = announcementPath(domid);
    this.#attempt("remove", (view) => {
      view.remove(this.#path);
      const others = view.list(dirname(this.#path));
      this.#isDataOurs = others === undefined || this.domid === 0 && others.length === 0;
    });
  }

  /** Announces that the daemon serves. */
  make(): void {
    this.#attempt("write", (view) => {
      this.#write(view, "pid", String(Deno.pid), "none");
      this.#write(view, "version", VERSION, "none");
      this.#write(view, "status", "running", "read");
    });
  }

  /** Writes a node that all other domains have `access` to. */
  #write(view: StoreView, name: string, value: string, access: "none" | "read"): void {
    view.write(`${this.#path}/${name}`, value);
    view.setPermissions(`${this.#path}/${name}`, [{ domid: this.domid, access }]);
  }

  /** If XenStore refuses, the cards are served without the announcement. */
  #attempt(verb: string, body: (view: StoreView) => void): void {
    try {
      this.store.transaction(body);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#log.warn("cannot {verb} {path}: {reason}", { verb, path: this.#path, reason: error.message });
    }
  }

  [Symbol.dispose](): void {
    const remove = (view: StoreView) =>
      this.#isDataOurs ? removeWithEmptyParents(view, this.#path) : view.remove(this.#path);
    this.#attempt("remove", remove);
  }
}
