// SPDX-License-Identifier: MIT
/**
 * How a guest, or a script on the host, sees that the backend is there before it has a card to look at:
 *
 *     /local/domain/<backend>/data/xsnd/status    "running"; all domains can read it, and watch it
 *     /local/domain/<backend>/data/xsnd/pid       for the host alone
 *     /local/domain/<backend>/data/xsnd/version   for the host alone
 *
 * `data` is the one directory that xenstore-paths(7) leaves to a domain for whatever it likes, so that a driver domain may write
 * there, too. The nodes are there while the daemon serves: they are removed when it begins to end, and what one that was killed
 * has left is removed before the next one takes its cards over.
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
  /** Whether `data` was not there before. A guest's is the toolstack's, and once removed a guest could not make it again. */
  #isDataOurs = false;

  /** Withdraws what a former daemon has announced. */
  constructor(private readonly store: Store, private readonly domid: number) {
    this.#path = announcementPath(domid);
    this.#attempt("remove", (view) => {
      view.remove(this.#path);
      this.#isDataOurs = view.read(dirname(this.#path)) === undefined;
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

  /** Who waits for the announcement does without if XenStore refuses it; the cards are served all the same. */
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
