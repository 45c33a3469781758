// SPDX-License-Identifier: MIT
/**
 * A guest's domain as the guest's own kernel sees it: pages that the kernel grants, event channels, XenStore. For code of
 * `tests/world` that is no process. The calls are synchronous. Each call-back comes through the clock a random moment later, never
 * out of a call. No call-back comes while the domain is paused, and none once the domain is destroyed.
 */
import type { XsErrorCode } from "../../../lib/xen/embedded/server/wire.ts";
import type { StoreView } from "../../../lib/xen/ports.ts";
import type { Random } from "../machine/random.ts";

/** Pages of a guest that the guest has granted. */
export interface SharedRam {
  /** The guest's own view of the pages, side by side. Valid until the domain is destroyed. */
  readonly buffer: ArrayBuffer;
  /** The grant reference of each page. */
  readonly grefs: readonly number[];
  /**
   * Ends the grants and frees the pages. A page that a backend still has mapped keeps its grant (as gnttab_try_end_foreign_access
   * does), and the kernel frees such a page once the backend has unmapped the page. {@link buffer} is detached.
   */
  revoke(): void;
}

/** A XenStore call that XenStore or the connection has refused. */
export class GuestStoreError extends Error {
  override name = "GuestStoreError";
  constructor(readonly code: XsErrorCode | "EPIPE", call: string, path: string) {
    super(`cannot ${call} ${path}: ${code}`);
  }
}

/** XenStore operations of a guest. A path without a slash in front is relative to `/local/domain/<domid>`. Throws {@link GuestStoreError}. */
export type GuestStoreView = StoreView;

/**
 * XenStore as the guest sees it, with the guest's rights. A kernel's connection is a ring, which outlives a lost xenstored: a call
 * throws {@link GuestStoreError} EPIPE while xenstored is away, and each watch is set again by itself once xenstored is back.
 */
export interface GuestStore extends GuestStoreView {
  /**
   * Calls `onChange` with the path of each change at or below `path`, once for the watch itself. A relative watched path gives
   * relative changes. Returns a function that ends the watch.
   */
  watch(path: string, onChange: (path: string) => void): () => void;
  /** Runs `body` in a transaction, again and again until the commit succeeds. */
  transaction<T>(body: (view: GuestStoreView) => T): T;
}

export interface GuestDomain {
  /** The domain's id. Another one after a restore: read it anew. */
  readonly domid: number;
  readonly isAlive: boolean;
  readonly isPaused: boolean;
  /** A timer of the guest's: waits while the domain is paused, and never runs once the domain is gone. Returns what cancels it. */
  after(micros: number, run: () => void): () => void;
  /**
   * Calls `run` each time the domain runs again after a restore: with another id and the same memory, without grants and ports. Its
   * watches are set again by then, or will be. Returns what ends that.
   */
  onRestored(run: () => void): () => void;
  /** Allocates `pages` zeroed pages, and grants each of them to `backendDomid`, for reading alone if `access` is `read`. */
  share(pages: number, backendDomid: number, access?: "read" | "write"): SharedRam;
  /**
   * Makes a port that `remoteDomid` may bind to. `onEvent` comes a random moment after an event; events that come meanwhile are
   * merged into one. The port is unmasked as `onEvent` begins.
   */
  bindUnbound(remoteDomid: number, onEvent: () => void): number;
  /** Signals the other end of `port`. An event to nobody is dropped. */
  notify(port: number): void;
  closePort(port: number): void;
  readonly store: GuestStore;
  /** Chance of this domain's own: what the guest's code takes changes no other domain's. */
  readonly random: Random;
}
