// SPDX-License-Identifier: MIT
/**
 * What the toolstack needs of the machine around it. The world plugs its hypervisor, its xenstored and its guests in here. All calls
 * are synchronous, and every call-back comes through the clock, never out of a call.
 */
import type { StoreView } from "../../../lib/xen/ports.ts";
import type { Clock } from "../machine/clock.ts";

/** A transaction of dom0's. A connection that ends aborts its transactions. */
export interface Dom0Transaction extends StoreView {
  /** Returns false if another writer has committed a conflicting change first (EAGAIN). Throws StoreError. */
  commit(): boolean;
  abort(): void;
}

/** XenStore as a program in dom0 sees it. All calls throw StoreError, also when xenstored is away. */
export interface Dom0Store extends StoreView {
  begin(): Dom0Transaction;
  /** Calls `changed` once for the watch itself, and after each change at or below `path`. Returns a function that ends the watch. */
  watch(path: string, changed: () => void): () => void;
  /** XS_INTRODUCE: from now on the domain has a connection. Fires @introduceDomain. */
  introduce(domid: number): void;
}

/** The reasons that a kernel gives in SHUTDOWN (xen/sched.h). */
export type ShutdownReason = "poweroff" | "reboot" | "suspend" | "crash";

export interface DomainInfo {
  readonly isPaused: boolean;
  /** Whether the domain is destroyed, and a foreign mapping keeps the domain from going. */
  readonly isDying: boolean;
  /** Undefined: the kernel runs. */
  readonly shutdown: ShutdownReason | undefined;
}

/** The hypervisor refuses a domain control: there is no such domain, or there is one already. */
export class ControlError extends Error {
  override name = "ControlError";
}

/** The domain controls that a toolstack has. All throw {@link ControlError}. xenstored fires @releaseDomain when a domain shuts down, and when it is destroyed. */
export interface Hypervisor {
  /** Makes a domain, paused and without memory. `wanted`: its number. */
  createDomain(wanted?: number): number;
  pauseDomain(domid: number): void;
  unpauseDomain(domid: number): void;
  /** Lets a domain that has shut down with the reason `suspend` go on where it is. */
  resumeDomain(domid: number): void;
  destroyDomain(domid: number): void;
  /** Undefined if there is no such domain. */
  domainInfo(domid: number): DomainInfo | undefined;
}

/** The memory of guests. All calls throw {@link ControlError}. `Memory` is the whole state of a guest's kernel and programs. */
export interface Guests<Memory = unknown> {
  /** Puts a kernel that has not run yet into the domain. It boots when the domain is unpaused. */
  build(domid: number, name: string): void;
  /** Takes a copy of the memory of a domain that has suspended itself. */
  save(domid: number): Memory;
  /** Puts a saved memory into a new domain. The kernel goes on when the domain is unpaused. */
  load(domid: number, memory: Memory): void;
}

export interface Services {
  readonly clock: Clock;
  readonly store: Dom0Store;
  readonly hypervisor: Hypervisor;
  readonly guests: Guests;
  /** Adds a line to the world's log. */
  readonly log: (line: string) => void;
}
