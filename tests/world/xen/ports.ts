// SPDX-License-Identifier: MIT
/**
 * Event channels as the hypervisor keeps them (common/event_channel.c of Xen), and the mask of a port that the kernel's driver adds
 * (drivers/xen/evtchn.c): an event on a port is delivered once, and masks the port. An event on a masked port is delivered after
 * the unmask.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";

/** Ports of a domain: the ABI of two levels on x86_64 has 4096. */
const PORTS = 4096;

/** What has bound a port. */
export interface PortOwner {
  /** An event on `port`, which is masked from now on. */
  raise(port: Port): void;
}

/** One end of an event channel. */
export class Port {
  /** The other end; undefined: nobody is bound. */
  peer: Port | undefined;
  isMasked = false;
  #isPending = false;

  constructor(
    readonly table: PortTable,
    readonly number: number,
    readonly owner: PortOwner,
    /** The domain that may bind to the port, or has bound. */
    public remoteDomid: number,
  ) {}

  /** An event arrives. */
  signal(): void {
    if (this.isMasked) this.#isPending = true;
    else {
      this.isMasked = true;
      this.owner.raise(this);
    }
  }

  unmask(): void {
    if (!this.isMasked) return;
    this.isMasked = false;
    if (!this.#isPending) return;
    this.#isPending = false;
    this.signal();
  }

  /** As {@link unmask}, for a handler that is about to look at everything: an event that waits is no event of its own. */
  begin(): void {
    this.isMasked = this.#isPending = false;
  }

  get isOpen(): boolean {
    return this.table.get(this.number) === this;
  }
}

/** The ports of a domain. Errors are negative errno values. */
export class PortTable {
  readonly #ports: (Port | undefined)[] = new Array(PORTS).fill(undefined);
  #count = 0;
  /** So many of the next bindings fail, for want of memory. */
  refusals = 0;

  /** @param first ports below are the kernel's own */
  constructor(readonly domid: () => number, private readonly first: number) {}

  /** How many ports are open. */
  get count(): number {
    return this.#count;
  }

  get(number: number): Port | undefined {
    return this.#ports[number];
  }

  /** All open ports. */
  all(): Port[] {
    return this.#count === 0 ? [] : this.#ports.filter((port) => port !== undefined);
  }

  /** EVTCHNOP_alloc_unbound. */
  bindUnbound(remoteDomid: number, owner: PortOwner): Port | number {
    if (this.refusals > 0) return this.refusals--, -ERRNO.ENOMEM;
    let number = this.first;
    while (this.#ports[number] !== undefined) number++;
    if (number >= PORTS) return -ERRNO.ENOSPC;
    const port = new Port(this, number, owner, remoteDomid);
    this.#ports[number] = port;
    this.#count++;
    return port;
  }

  /** EVTCHNOP_bind_interdomain. Raises an event at this end: the peer may have signalled before anybody was bound. */
  bindInterdomain(remote: PortTable | undefined, number: number, owner: PortOwner): Port | number {
    if (remote === undefined) return -ERRNO.ESRCH;
    const peer = remote.get(number);
    if (peer === undefined || peer.peer !== undefined || peer.remoteDomid !== this.domid()) {
      return -ERRNO.EINVAL;
    }
    const port = this.bindUnbound(remote.domid(), owner);
    if (typeof port === "number") return port;
    port.peer = peer;
    peer.peer = port;
    port.signal();
    return port;
  }

  /** EVTCHNOP_close. The other end goes on, and this domain may bind to that end again. */
  close(port: Port): void {
    if (!port.isOpen) return;
    this.#ports[port.number] = undefined;
    this.#count--;
    if (port.peer === undefined) return;
    port.peer.remoteDomid = this.domid();
    port.peer.peer = undefined;
    port.peer = undefined;
  }

  /** Closes all ports. */
  end(): void {
    for (const port of this.all()) this.close(port);
  }
}
