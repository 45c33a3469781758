// SPDX-License-Identifier: MIT
/** The hypervisor of the virtual machine: domains, and the pages that they map of each other. */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { XEN_PAGE_SIZE } from "../../../lib/xen/ports.ts";
import type { Clock } from "../machine/clock.ts";
import { mix, Random } from "../machine/random.ts";
import { addressSpace, type Range } from "./address_space.ts";
import { Domain, type DomainOptions, type Grant } from "./domain.ts";
import type { Ram } from "./ram.ts";

/** xen.h: ids from this one on are special. */
const DOMID_FIRST_RESERVED = 0x7ff0;

/** Pages of a domain that another domain's process has mapped. */
export interface ForeignMapping {
  readonly domain: Domain;
  /** The domain's id as its pages were mapped. */
  readonly domid: number;
  readonly grants: readonly Grant[];
  readonly range: Range;
  readonly isWritable: boolean;
}

export interface CreateOptions extends DomainOptions {
  /** The id; by default the one after the last one that the hypervisor has chosen. */
  readonly domid?: number;
}

export class Hypervisor {
  readonly #domains = new Map<number, Domain>();
  readonly mappings = new Set<ForeignMapping>();
  /** How many mapped pages each memory has. Memory without a domain ends with its last mapped page. */
  readonly #mappedPages = new Map<Ram, number>();
  readonly #ownerless = new Set<Ram>();
  #pages = 0;
  /** Called when a domain is destroyed or saved. */
  readonly ended = new Set<() => void>();
  #lastDomid = 0;
  /** Ids are used again after this one. */
  greatestDomid = DOMID_FIRST_RESERVED - 1;
  #created = 0;
  /** Called after each mapping, and before each unmapping. */
  onMapped: (mapping: ForeignMapping) => void = () => {};
  onUnmapping: (mapping: ForeignMapping) => void = () => {};
  /** Called when a guest's event has come to a process. */
  onSignal: (process: object, remoteDomid: number) => void = () => {};
  /** The most pages that all processes may have mapped. */
  maxMappedPages = Infinity;
  /** So many of the next mappings fail. */
  refusals = 0;
  /** The errno of a mapping that is refused, or one too many: ENOMEM, ENOSPC. */
  refusalErrno: number = ERRNO.ENOMEM;

  /** @param report is told of each misuse of mapped memory: a defect */
  constructor(readonly clock: Clock, private readonly seed: number, readonly report: (what: string) => void) {
    addressSpace.report = report;
  }

  /** The living domains. */
  get domains(): readonly Domain[] {
    return [...this.#domains.values()];
  }

  domain(domid: number): Domain | undefined {
    return this.#domains.get(domid);
  }

  /** How many domains are gone but for pages that somebody has mapped. */
  get zombies(): number {
    return this.#ownerless.size;
  }

  /** How many pages are mapped. */
  get mappedPages(): number {
    return this.#pages;
  }

  create(options: CreateOptions = {}): Domain {
    const domid = options.domid ?? this.#freeDomid();
    if (this.#domains.has(domid)) throw new Error(`domain ${domid} exists`);
    const random = new Random(mix(this.seed, this.#created++));
    const domain = new Domain(this.clock, domid, random, options);
    this.#domains.set(domid, domain);
    return domain;
  }

  /** The next domain has this number, if that is free. */
  set nextDomid(domid: number) {
    this.#lastDomid = domid - 1;
  }

  get hasFreeDomid(): boolean {
    for (let domid = 1; domid <= this.greatestDomid; domid++) if (this.#isFree(domid)) return true;
    return false;
  }

  #freeDomid(): number {
    for (let left = this.greatestDomid; left > 0; left--) {
      this.#lastDomid = this.#lastDomid % this.greatestDomid + 1;
      if (this.#isFree(this.#lastDomid)) return this.#lastDomid;
    }
    throw new Error(`no domain id is left up to ${this.greatestDomid}`);
  }

  /** A domain keeps its id until nobody has its pages mapped. */
  #isFree(domid: number): boolean {
    if (this.#domains.has(domid)) return false;
    for (const mapping of this.mappings) if (mapping.domid === domid) return false;
    return true;
  }

  /** Ends a domain: its ports are closed, its grants over, its id free. */
  destroy(domain: Domain): void {
    if (!domain.isAlive) return;
    this.#domains.delete(domain.domid);
    domain.destroy();
    this.#abandon(domain.ram);
    for (const tell of this.ended) tell();
  }

  /** Takes a domain off its id, as a save does: ports and grants end, and the domain's own state stays, paused. */
  save(domain: Domain): void {
    if (this.#domains.get(domain.domid) !== domain) throw new Error("a domain that does not run is saved");
    this.#domains.delete(domain.domid);
    domain.pause();
    domain.ports.end();
    domain.grants.clear();
    for (const tell of this.ended) tell();
  }

  /** Brings a saved domain back, under another id, paused. Its kernel hears of that once it runs. */
  restore(domain: Domain, domid: number = this.#freeDomid()): void {
    if (this.#domains.has(domid)) throw new Error(`domain ${domid} exists`);
    if (!domain.isAlive) throw new Error("a domain is restored that has been destroyed");
    this.#abandon(domain.restore(domid));
    this.#domains.set(domid, domain);
    for (const tell of [...domain.restores]) domain.later(0, tell);
  }

  #abandon(ram: Ram): void {
    if (this.#mappedPages.has(ram)) this.#ownerless.add(ram);
    else ram.end();
  }

  /** Maps pages of domain `domid` side by side, as domain `mapper`. Returns a negative errno if any page cannot be mapped. */
  map(mapper: number, domid: number, grefs: readonly number[], isWritable: boolean): ForeignMapping | number {
    if (this.refusals > 0) return this.refusals--, -this.refusalErrno;
    if (this.#pages + grefs.length > this.maxMappedPages) return -this.refusalErrno;
    const domain = this.#domains.get(domid);
    if (domain === undefined || grefs.length === 0) return -ERRNO.EINVAL;
    const grants: Grant[] = [];
    for (const gref of grefs) {
      const grant = domain.mappable(gref, mapper, isWritable);
      if (typeof grant === "number") return grant;
      grants.push(grant);
    }
    const range = addressSpace.take(grants.length, `${grants.length} pages of domain ${domid}`, domain);
    for (const [place, count] of runs(grants)) {
      const { ram, frame } = grants[place]!;
      ram.mapAt(range.address + place * XEN_PAGE_SIZE, frame, count, isWritable);
    }
    const { ram } = domain;
    for (const grant of grants) grant.mappings++;
    this.#mappedPages.set(ram, (this.#mappedPages.get(ram) ?? 0) + grants.length);
    const mapping = { domain, domid, grants, range, isWritable };
    this.mappings.add(mapping);
    this.#pages += grants.length;
    this.onMapped(mapping);
    return mapping;
  }

  /**
   * Ends a mapping. Reports each ArrayBuffer that is still attached to it.
   * @param isOrderly false: the process is dead, and its buffers are nobody's; these are detached
   */
  unmap(mapping: ForeignMapping, isOrderly = true): void {
    if (!this.mappings.delete(mapping)) return;
    this.onUnmapping(mapping);
    const { range, grants, isWritable } = mapping;
    this.#pages -= grants.length;
    const attached = range.views.filter(({ detached }) => !detached);
    if (attached.length > 0 && isOrderly) {
      this.report(`${range.name} are unmapped while ${attached.length} views are left`);
    }
    for (const view of attached) view.transfer(0);
    if (!isWritable) this.#checkUnwritten(mapping);
    addressSpace.poison(range);
    for (const grant of grants) {
      grant.mappings--;
      if (grant.isEnding) mapping.domain.revoke(grant);
    }
    const { ram } = grants[0]!;
    const left = this.#mappedPages.get(ram)! - grants.length;
    if (left > 0) return void this.#mappedPages.set(ram, left);
    this.#mappedPages.delete(ram);
    if (this.#ownerless.delete(ram)) ram.end();
  }

  #checkUnwritten({ range, grants }: ForeignMapping): void {
    for (const [place, count] of runs(grants)) {
      const { ram, frame } = grants[place]!;
      if (ram.equals(frame, count, range.address + place * XEN_PAGE_SIZE)) continue;
      return this.report(`somebody has written to ${range.name}, which are mapped for reading`);
    }
  }

  /** The end of the world: gives everything back. */
  end(): void {
    for (const mapping of [...this.mappings]) this.unmap(mapping, false);
    for (const domain of this.domains) this.destroy(domain);
    addressSpace.clear();
  }
}

/** Cuts grants into runs of consecutive frames: `[place of the first, count]`. */
function runs(grants: readonly Grant[]): [number, number][] {
  const found: [number, number][] = [];
  grants.forEach(({ frame }, place) => {
    const last = found.at(-1);
    if (last !== undefined && frame === grants[last[0]]!.frame + last[1]) last[1]++;
    else found.push([place, 1]);
  });
  return found;
}
