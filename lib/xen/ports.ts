// SPDX-License-Identifier: MIT
/**
 * The three interfaces to Xen that all code above this folder uses: {@link Store} (XenStore),
 * {@link GrantTable} and {@link GrantSharer} (shared pages), and {@link EventChannels}. `native/` implements the last two over
 * libxengnttab and libxenevtchn, `embedded/` over shared files and FIFOs. Store has one implementation, in `store/`, over
 * libxenstore.
 */

/** Xen's page size in octets on every architecture, the unit of grants (`XEN_PAGE_SIZE`). */
export const XEN_PAGE_SIZE = 4096;

/** A domain's rights on a XenStore node (`xs_permissions.perms`). */
export type Access = "none" | "read" | "write" | "both";

/** An entry of a node's access list. The first entry names the owner, and the rights of domains without an entry. */
export interface Permission {
  /** The domain. */
  readonly domid: number;
  /** What the domain may do. */
  readonly access: Access;
}

/** XenStore operations, inside or outside of a transaction. All throw {@link StoreError}. */
export interface StoreView {
  /** The node's value, or undefined if there is no such node. */
  read(path: string): string | undefined;
  /** Writes a value. Makes the node and its parents if they are missing. */
  write(path: string, value: string): void;
  /** Makes an empty node and its parents. No effect on a node that exists. */
  mkdir(path: string): void;
  /** Removes the node and all nodes below it. No error if there is no such node. */
  remove(path: string): void;
  /** Names of the node's children, or undefined if there is no such node. */
  list(path: string): string[] | undefined;
  /** The node's access list, or undefined if there is no such node. */
  getPermissions(path: string): Permission[] | undefined;
  /** Replaces the node's access list. */
  setPermissions(path: string, permissions: readonly Permission[]): void;
}

/** A watch: yields the path of each changed node at or below the watched path. The first event comes at once. */
export interface StoreWatch extends AsyncIterable<string>, Disposable {
}

/** XenStore as one domain sees it. All calls except watches are synchronous and short. */
export interface Store extends StoreView, Disposable {
  /**
   * Runs `body` in a transaction and commits. Runs `body` again from the start when another writer has committed first
   * (EAGAIN). If `body` throws, the transaction is aborted and nothing is written.
   */
  transaction<T>(body: (view: StoreView) => T): T;
  /** Watches `path` and all nodes below until the watch is disposed. */
  watch(path: string): StoreWatch;
  /**
   * Resolves when all watches have yielded every change from before this call, and their readers have taken the changes: later
   * events are about later changes. With more than some 16 000 changes pending, older ones may follow.
   */
  settled(): Promise<void>;
  /** `/local/domain/<domid>`. */
  domainPath(domid: number): string;
  /** Whether the domain is known to XenStore (introduced and not released). */
  isIntroduced(domid: number): boolean;
}

/** The errors of a lost connection. libxenstore closes the socket at the first error. ENOTCONN is this project's own. */
const LOST = new Set(["EPIPE", "ECONNRESET", "EBADF", "ENOTCONN"]);

/**
 * A XenStore call that failed, with errno's name.
 *
 * @example
 * ```ts
 * import { openXen, StoreError, withSandbox } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * await withSandbox({ domains: ["domU"] }, async ({ directory }) => {
 *   using guest = await openXen({ sandbox: directory, domid: 1 });
 *   assert.throws(
 *     () => guest.store.write("/local/domain/0/name", "mine"),
 *     (error) => error instanceof StoreError && error.code === "EACCES",
 *   );
 * });
 * ```
 */
export class StoreError extends Error {
  /** `StoreError`. */
  override name = "StoreError";
  /** Makes an error from the name of an errno, as `EACCES`. */
  constructor(
    /** What was tried. */ readonly call: string,
    /** Of which node. */ readonly path: string,
    /** errno's name. */ readonly code: string,
  ) {
    super(`XenStore: cannot ${call} ${path}: ${code}`);
  }

  /** Whether the connection has failed, and not the call alone. */
  get isLost(): boolean {
    return LOST.has(this.code);
  }
}

/** Whether an error means that XenStore's connection is lost. */
export function isStoreLost(error: unknown): error is StoreError {
  return error instanceof StoreError && error.isLost;
}

/**
 * Pages mapped into this process, contiguous. `buffer` is the only ArrayBuffer over the pages. The disposal detaches the buffer
 * *before* it unmaps the pages, so that a late access never touches unmapped memory: views are empty then (elements read as
 * undefined, writes vanish), and Atomics and new views throw a TypeError. A write to pages mapped for reading is fatal.
 */
export interface Mapping extends Disposable {
  /** The pages; empty once they are unmapped. */
  readonly buffer: ArrayBuffer;
  /** Address of the first octet, for another thread. That thread drops its view before this one unmaps the pages. */
  readonly address: bigint;
  /** How many pages there are. */
  readonly pages: number;
}

/** Maps pages that other domains have granted to this one. */
export interface GrantTable extends Disposable {
  /**
   * Maps the pages of the grant references `grefs` of domain `domid` side by side, in that order. Throws {@link GrantError} if
   * any page is not granted to this domain; then nothing stays mapped.
   */
  map(domid: number, grefs: readonly number[], access: "read" | "write"): Mapping;
}

/** Pages of this domain that are granted to another. */
export interface SharedPages extends Mapping {
  /** The grant reference of each page. */
  readonly grefs: readonly number[];
}

/** Grants pages of this domain to others (the frontend's side). */
export interface GrantSharer extends Disposable {
  /** Allocates `pages` zeroed pages and grants them to `domid`. Disposing the result revokes the grants. */
  share(domid: number, pages: number, access: "read" | "write"): SharedPages;
}

/**
 * A page that cannot be mapped or granted.
 *
 * @example
 * ```ts
 * import { GrantError, openXen, withSandbox } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * await withSandbox({ domains: ["domU"] }, async ({ directory }) => {
 *   using xen = await openXen({ sandbox: directory });
 *   using table = xen.openGrantTable();
 *   assert.throws(() => table.map(1, [4000], "read"), GrantError);
 * });
 * ```
 */
export class GrantError extends Error {
  /** `GrantError`. */
  override name = "GrantError";

  /** Whether this host is out of memory, so that the domain is not at fault. */
  get isOutOfMemory(): boolean {
    return (this.cause as { code?: string } | undefined)?.code === "ENOMEM";
  }
}

/** {@link EventChannels.pending} returns at most this many ports in a row: an event storm keeps nobody else waiting. */
export const PENDING_IN_A_ROW = 64;

/**
 * Event channels of one handle, with the semantics of /dev/xen/evtchn: an event on a port is delivered once, and masks the
 * port until {@link unmask}. An event on a masked port is delivered after the unmask.
 */
export interface EventChannels extends Disposable {
  /** Readable (POLLIN) while {@link pending} has a port to return, apart from the ports of a row that has begun. */
  readonly fd: number;
  /** Makes a port that `domid` may bind to; returns the port. Throws {@link EventChannelError}. */
  bindUnbound(domid: number): number;
  /** Binds to `remotePort`, which `domid` has made for this domain; returns the local port. Throws {@link EventChannelError}. */
  bindInterdomain(domid: number, remotePort: number): number;
  /** Closes `port`. */
  unbind(port: number): void;
  /** Signals the other end of `port`. Returns 0, or -1 on failure. Allocates nothing. */
  notify(port: number): number;
  /**
   * Returns the next port with an event, which is masked from now on. -1 ends a row of ports: no port has an event, or other
   * work is due, at the latest after {@link PENDING_IN_A_ROW} ports; {@link fd} tells which. Never blocks, allocates nothing.
   */
  pending(): number;
  /** Lets `port` deliver again. Call this after draining the ring that the event announced (late EOI, XSA-332). */
  unmask(port: number): number;
  /** Names the handle for another thread of this process: see `adoptEventChannels` in `mod.ts`. */
  readonly shareable: EventChannelsShare;
}

/** Names an open {@link EventChannels} handle within this process; structured-clonable. */
export type EventChannelsShare =
  | { readonly kind: "native"; readonly handle: bigint }
  | {
    readonly kind: "embedded";
    readonly directory: string;
    readonly domid: number;
    readonly handle: number;
    readonly fd: number;
  };

/**
 * An event channel that cannot be made, or bound.
 *
 * @example
 * ```ts
 * import { EventChannelError, openXen, withSandbox } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * await withSandbox({ domains: ["domU"] }, async ({ directory }) => {
 *   using xen = await openXen({ sandbox: directory });
 *   using channels = xen.openEventChannels();
 *   assert.throws(() => channels.bindInterdomain(1, 77), EventChannelError);
 * });
 * ```
 */
export class EventChannelError extends Error {
  /** `EventChannelError`. */
  override name = "EventChannelError";
}

/** Xen as one domain sees it. */
export interface Xen extends Disposable {
  /** The real Xen, or an embedded one. */
  readonly kind: "native" | "embedded";
  /** This domain's own id. */
  readonly domid: number;
  /** XenStore as this domain sees it. */
  readonly store: Store;
  /** Opens what maps pages of other domains. */
  openGrantTable(): GrantTable;
  /** Opens what grants pages to other domains. */
  openGrantSharer(): GrantSharer;
  /** Opens a handle of event channels. */
  openEventChannels(): EventChannels;
}
