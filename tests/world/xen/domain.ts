// SPDX-License-Identifier: MIT
/** A domain: memory, granted pages, event channels, and call-backs that wait while the domain is paused. */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import type { Clock } from "../machine/clock.ts";
import type { Random } from "../machine/random.ts";
import { PortTable } from "./ports.ts";
import { Ram } from "./ram.ts";

/** Entries of a grant table of 32 frames. The first eight are the toolstack's. */
const GRANTS = 16384;
const RESERVED_GRANTS = 8;
/** Ports below are bound by the kernel before anything else. dom0 has more of these. */
const FIRST_PORT = 7;
const FIRST_PORT_DOM0 = 40;

/** A page granted to another domain. */
export interface Grant {
  readonly gref: number;
  readonly ram: Ram;
  readonly frame: number;
  /** The domain that may map the page. */
  readonly domid: number;
  readonly isReadOnly: boolean;
  /** How often the page is mapped. */
  mappings: number;
  /** The grant is to end with its last mapping. */
  isEnding: boolean;
}

export interface DomainOptions {
  /** Pages of memory. */
  readonly pages?: number;
}

export class Domain {
  readonly ports: PortTable;
  readonly grants = new Map<number, Grant>();
  #ram: Ram;
  #domid: number;
  #isAlive = true;
  #isPaused = false;
  /** What became due while the domain was paused. */
  #held: (() => void)[] = [];
  /** Called when the domain runs again after a restore. */
  readonly restores = new Set<() => void>();
  /** The times in which the domain stood still; `to` is Infinity while one lasts. */
  readonly pauses: { readonly from: number; to: number }[] = [];
  /** Called when the domain is destroyed. */
  readonly ends = new Set<() => void>();

  /** @param random chance of the domain's kernel */
  constructor(readonly clock: Clock, domid: number, readonly random: Random, options: DomainOptions) {
    this.#domid = domid;
    this.#ram = new Ram(options.pages ?? 4096);
    this.ports = new PortTable(() => this.#domid, domid === 0 ? FIRST_PORT_DOM0 : FIRST_PORT);
  }

  get domid(): number {
    return this.#domid;
  }

  get ram(): Ram {
    return this.#ram;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.pauses.push({ from: this.clock.now, to: Infinity });
  }

  unpause(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.pauses.at(-1)!.to = this.clock.now;
    const held = this.#held;
    this.#held = [];
    for (const run of held) this.later(0, run);
  }

  /** Runs `run` in `micros` µs, later if the domain is paused then, and never if the domain is gone. Returns what cancels that. */
  later(micros: number, run: () => void): () => void {
    let isCancelled = false;
    const once = () => {
      if (!isCancelled) run();
    };
    const entry = this.clock.after(micros, () => {
      if (!this.#isAlive) return;
      if (this.#isPaused) this.#held.push(once);
      else once();
    });
    return () => {
      isCancelled = true;
      this.clock.cancel(entry);
    };
  }

  /** Grants `count` frames from `first` on to `domid`. Undefined if the grant table is full. */
  grant(first: number, count: number, domid: number, isReadOnly: boolean): Grant[] | undefined {
    if (this.grants.size + count > GRANTS - RESERVED_GRANTS) return undefined;
    const made: Grant[] = [];
    for (let frame = first; frame < first + count; frame++) {
      let gref = this.random.between(RESERVED_GRANTS, GRANTS - 1);
      while (this.grants.has(gref)) gref = gref + 1 < GRANTS ? gref + 1 : RESERVED_GRANTS;
      const grant = { gref, ram: this.#ram, frame, domid, isReadOnly, mappings: 0, isEnding: false };
      this.grants.set(gref, grant);
      made.push(grant);
    }
    return made;
  }

  /** Ends a grant and frees its page: now, or as soon as nobody has the page mapped. */
  revoke(grant: Grant): void {
    grant.isEnding = true;
    if (grant.mappings > 0) return;
    if (this.grants.get(grant.gref) === grant) this.grants.delete(grant.gref);
    grant.ram.free(grant.frame);
  }

  /** The grant that domain `domid` may map; a negative errno if there is none. */
  mappable(gref: number, domid: number, isWritable: boolean): Grant | number {
    const grant = this.grants.get(gref);
    if (grant === undefined || grant.domid !== domid) return -ERRNO.EINVAL;
    return isWritable && grant.isReadOnly ? -ERRNO.EINVAL : grant;
  }

  /** The domain's end. Its memory lives on while anybody has pages of it mapped: see `hypervisor.ts`. */
  destroy(): void {
    this.#isAlive = false;
    this.#held = [];
    this.ports.end();
    for (const end of [...this.ends]) end();
    this.ends.clear();
  }

  /**
   * The domain has come back by a restore, as `domid`: with a copy of its memory at the same addresses, and without ports and grants.
   * Returns the former memory.
   */
  restore(domid: number): Ram {
    const former = this.#ram;
    this.#ram = former.moved();
    this.grants.clear();
    this.ports.end();
    this.#domid = domid;
    return former;
  }
}
