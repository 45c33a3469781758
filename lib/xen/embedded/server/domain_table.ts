// SPDX-License-Identifier: MIT
/** The introduced domains: those that may connect (xenstored_domain.c). */
import type { Subject } from "./permissions.ts";
import { XsError } from "./wire.ts";

/** xen.h: ids from this one on are special, and no domain's. */
export const DOMID_FIRST_RESERVED = 0x7ff0;

export class Domain implements Subject {
  target?: number;
  constructor(readonly domid: number) {}
}

/** Opens and closes a domain's socket, and makes and removes its shared files. */
export interface DomainHost {
  domainAppeared(domain: Domain): void;
  domainGone(domain: Domain): void;
}

export class Domains {
  readonly #domains = new Map<number, Domain>();

  constructor(private readonly host: DomainHost) {}

  /** Throws ENOENT if there is no such domain. */
  get(domid: number): Domain {
    const domain = this.#domains.get(domid);
    if (!domain) throw new XsError("ENOENT");
    return domain;
  }

  has(domid: number): boolean {
    return this.#domains.has(domid);
  }

  /** Lets a domain connect; false if the domain was introduced before. */
  introduce(domid: number): boolean {
    if (this.has(domid)) return false;
    if (domid >= DOMID_FIRST_RESERVED) throw new XsError("EINVAL");
    const domain = new Domain(domid);
    this.host.domainAppeared(domain);
    this.#domains.set(domid, domain);
    return true;
  }

  /** Disconnects a domain, and forgets it. */
  release(domid: number): void {
    if (domid === 0) throw new XsError("EINVAL");
    const domain = this.get(domid);
    this.#domains.delete(domid);
    for (const other of this.#domains.values()) if (other.target === domid) other.target = undefined;
    this.host.domainGone(domain);
  }
}

/** Parses a request's domain id, in decimal. Throws EINVAL. */
export function parseDomid(text: string | undefined): number {
  if (text === undefined || !/^\d{1,5}$/.test(text)) throw new XsError("EINVAL");
  return Number(text);
}
