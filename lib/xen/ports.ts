// SPDX-License-Identifier: MIT
/**
 * The three ports to Xen that everything above this folder is written against: {@link Store} (XenStore),
 * {@link GrantTable}/{@link GrantSharer} (shared pages) and {@link EventChannels}. `native/` implements the last
 * two over libxengnttab and libxenevtchn, `embedded/` over a shared file and FIFOs; Store has one
 * implementation, over libxenstore, in both places.
 */

/** Xen's page size in octets, on every architecture: grants are in these units (`XEN_PAGE_SIZE`). */
export const XEN_PAGE_SIZE = 4096;

/** What a domain may do with a XenStore node (`xs_permissions.perms`). */
export type Access = "none" | "read" | "write" | "both";

/** One entry of a node's access list; the first one names the owner and what everybody else may do. */
export interface Permission {
  readonly domid: number;
  readonly access: Access;
}

/** XenStore operations that exist both inside and outside of a transaction. */
export interface StoreView {
  /** The node's value, or undefined if there is no such node. Throws {@link StoreError} (EACCES and the like). */
  read(path: string): string | undefined;
  /** Writes a value, making the node and its parents if need be. */
  write(path: string, value: string): void;
  /** Makes an empty node (and its parents); no effect on one that exists. */
  mkdir(path: string): void;
  /** Removes the node and all below it; no error if there is none. */
  remove(path: string): void;
  /** Names of the node's children, or undefined if there is no such node. */
  list(path: string): string[] | undefined;
  /** The node's access list, or undefined if there is no such node. */
  getPermissions(path: string): Permission[] | undefined;
  setPermissions(path: string, permissions: readonly Permission[]): void;
}

/** A watch: yields the path of each change at or below the watched one, beginning with one event at once. */
export interface StoreWatch extends AsyncIterable<string>, Disposable {
}

/** XenStore as one domain sees it. All calls but watches are synchronous and short. */
export interface Store extends StoreView, Disposable {
  /**
   * Runs `body` in a transaction and commits it; runs it again from the start when another writer got in
   * between (EAGAIN). If `body` throws, the transaction is aborted and nothing is written.
   */
  transaction<T>(body: (view: StoreView) => T): T;
  /** Watches `path` and everything below it, until the watch is disposed. */
  watch(path: string): StoreWatch;
  /**
   * Resolves when all watches have yielded every change that was made before this call, and their readers have taken it:
   * what {@link read} has shown by then is no news afterwards. With more than some 16 000 changes pending the rest is news.
   */
  settled(): Promise<void>;
  /** `/local/domain/<domid>`. */
  domainPath(domid: number): string;
  /** Whether the domain is known to XenStore (introduced and not released). */
  isIntroduced(domid: number): boolean;
}

/** What a call on a lost connection fails with: libxenstore closes it at the first one. ENOTCONN is our own word. */
const LOST = new Set(["EPIPE", "ECONNRESET", "EBADF", "ENOTCONN"]);

/** A XenStore call that failed, with errno's name. */
export class StoreError extends Error {
  override name = "StoreError";
  constructor(readonly call: string, readonly path: string, readonly code: string) {
    super(`XenStore: cannot ${call} ${path}: ${code}`);
  }

  /** Whether it is the connection that failed, and not the call: nothing of the store can be known or done. */
  get isLost(): boolean {
    return LOST.has(this.code);
  }
}

/** Whether an error says that XenStore's connection is lost. */
export function isStoreLost(error: unknown): error is StoreError {
  return error instanceof StoreError && error.isLost;
}

/**
 * Pages mapped into this process, contiguous. `buffer` is the only ArrayBuffer over them; disposing detaches it
 * *before* unmapping, so that a late access never touches memory that is gone: views are empty then (elements read as
 * undefined, writes vanish), and Atomics and new views throw a TypeError. A write to pages mapped for reading is fatal.
 */
export interface Mapping extends Disposable {
  readonly buffer: ArrayBuffer;
  /** Address of the first octet, to hand to another thread (which must drop its view before this one unmaps). */
  readonly address: bigint;
  readonly pages: number;
}

/** Mapping pages that other domains granted to this one. */
export interface GrantTable extends Disposable {
  /**
   * Maps `grefs` of domain `domid`, in that order, side by side.
   * Throws {@link GrantError} if any of them is not granted to this domain; nothing stays mapped then.
   */
  map(domid: number, grefs: readonly number[], access: "read" | "write"): Mapping;
}

/** Pages of this domain's own, granted to another. */
export interface SharedPages extends Mapping {
  readonly grefs: readonly number[];
}

/** Granting pages of this domain to others (the frontend's side). */
export interface GrantSharer extends Disposable {
  /** Allocates `pages` zeroed pages and grants them to `domid`. Disposing them revokes the grants. */
  share(domid: number, pages: number, access: "read" | "write"): SharedPages;
}

export class GrantError extends Error {
  override name = "GrantError";

  /** Whether it is for want of this host's memory, and no fault of the domain's. */
  get isOutOfMemory(): boolean {
    return (this.cause as { code?: string } | undefined)?.code === "ENOMEM";
  }
}

/** Ports that {@link EventChannels.pending} gives in a row at most, so that no storm on one keeps others waiting. */
export const PENDING_IN_A_ROW = 64;

/**
 * Event channels of one handle, with the semantics of /dev/xen/evtchn: an event on a port is delivered once and
 * the port stays masked until {@link unmask}; one that arrives meanwhile is delivered after it.
 */
export interface EventChannels extends Disposable {
  /** Readable (POLLIN) while there is a port for {@link pending} to give, but for those of a row that it has begun. */
  readonly fd: number;
  /** A port that `domid` may bind to. */
  bindUnbound(domid: number): number;
  /** Binds to `remotePort`, which `domid` made for this domain; returns the local port. Throws {@link EventChannelError}. */
  bindInterdomain(domid: number, remotePort: number): number;
  unbind(port: number): void;
  /** Signals the other end of `port`. Allocates nothing. Returns 0, or -1 if that failed. */
  notify(port: number): number;
  /**
   * The next port with an event, masked from now on. -1 ends a row of them: there is none, or it is time to look at other
   * things, at the latest after {@link PENDING_IN_A_ROW}; {@link fd} tells. Never blocks, allocates nothing.
   */
  pending(): number;
  /** Lets `port` deliver again. Call it after draining what the event announced (late EOI, XSA-332). */
  unmask(port: number): number;
  /** What another thread of this process needs to use the same handle: see `adoptEventChannels` in `mod.ts`. */
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

export class EventChannelError extends Error {
  override name = "EventChannelError";
}

/** A domain's view of Xen: the three ports, opened for one domain id. */
export interface Xen extends Disposable {
  readonly kind: "native" | "embedded";
  /** This domain's own id. */
  readonly domid: number;
  readonly store: Store;
  openGrantTable(): GrantTable;
  openGrantSharer(): GrantSharer;
  openEventChannels(): EventChannels;
}
