// SPDX-License-Identifier: MIT
/** The kernel of a guest: what {@link GuestDomain} promises, over the hypervisor and xenstored. */
import { mix, Random } from "../machine/random.ts";
import type { Domain } from "./domain.ts";
import { type GuestDomain, GuestStoreError, type SharedRam } from "./guest_domain.ts";
import { KernelStore } from "./kernel_store.ts";
import type { Port, PortOwner } from "./ports.ts";
import type { Xenstored } from "./xenstored.ts";

/** µs from an event to its handler's run. */
const LEAST_EVENT_MICROS = 5;
const MOST_EVENT_MICROS = 120;

class BoundPort implements PortOwner {
  constructor(private readonly domain: Domain, private readonly onEvent: () => void) {}

  raise(port: Port): void {
    this.domain.later(this.domain.random.between(LEAST_EVENT_MICROS, MOST_EVENT_MICROS), () => {
      if (!port.isOpen) return;
      port.begin();
      this.onEvent();
    });
  }
}

export class GuestKernel implements GuestDomain {
  readonly store: KernelStore;
  readonly random: Random;

  constructor(readonly domain: Domain, xenstored: Xenstored) {
    this.random = new Random(mix(domain.random.word()));
    this.store = new KernelStore(domain, xenstored);
  }

  get domid(): number {
    return this.domain.domid;
  }

  get isAlive(): boolean {
    return this.domain.isAlive;
  }

  get isPaused(): boolean {
    return this.domain.isPaused;
  }

  after(micros: number, run: () => void): () => void {
    return this.domain.later(micros, run);
  }

  onRestored(run: () => void): () => void {
    this.domain.restores.add(run);
    return () => void this.domain.restores.delete(run);
  }

  share(pages: number, backendDomid: number, access: "read" | "write" = "write"): SharedRam {
    this.#alive();
    const { domain } = this;
    const first = domain.ram.allocate(pages);
    if (first === -1) throw new Error(`domain ${this.domid} has no ${pages} pages left`);
    const buffer = domain.ram.buffer(first, pages);
    const grants = domain.grant(first, pages, backendDomid, access === "read");
    if (grants === undefined) throw new Error(`the grant table of domain ${this.domid} is full`);
    const end = () => {
      if (!buffer.detached) buffer.transfer(0);
    };
    domain.ends.add(end);
    return {
      buffer,
      grefs: grants.map(({ gref }) => gref),
      revoke: () => {
        if (!domain.ends.delete(end)) return;
        end();
        // After a restore the grants are over, and the pages are other ones.
        for (const grant of grants) {
          if (grant.ram === domain.ram) domain.revoke(grant);
          else domain.ram.free(grant.frame);
        }
      },
    };
  }

  bindUnbound(remoteDomid: number, onEvent: () => void): number {
    this.#alive();
    const port = this.domain.ports.bindUnbound(remoteDomid, new BoundPort(this.domain, onEvent));
    if (typeof port === "number") throw new Error(`domain ${this.domid} has no port left`);
    return port.number;
  }

  notify(port: number): void {
    this.domain.ports.get(port)?.peer?.signal();
  }

  closePort(port: number): void {
    const open = this.domain.ports.get(port);
    if (open !== undefined) this.domain.ports.close(open);
  }

  #alive(): void {
    if (!this.isAlive) throw new GuestStoreError("EPIPE", "run", `domain ${this.domid}`);
  }
}
