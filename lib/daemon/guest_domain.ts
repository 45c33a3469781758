// SPDX-License-Identifier: MIT
/** The domain that a card is for. */
import { fnv1a } from "../base/fnv.ts";
import { domainName } from "../xenbus/mod.ts";
import { type Store, StoreError } from "../xen/ports.ts";

/**
 * A domain's name may change under a running guest: `xl rename` changes it, and so does the end of `xl migrate`. A domain's number is
 * used again once the domain has gone.
 */
export class GuestDomain {
  /**
   * What tells the domain from others that have, or have had, the number. A domain that is saved and restored has the same, with
   * another number. Undefined: that may not be read.
   */
  readonly identity: string | undefined;
  #name: string;
  #isDead = false;

  constructor(private readonly store: Store, readonly domid: number) {
    this.#name = domainName(store, domid);
    this.identity = this.#identityNow();
  }

  /** The last name that XenStore had for the domain; the number if there was none. */
  get name(): string {
    return this.#name;
  }

  /** Where XenStore has the name. */
  get namePath(): string {
    return `/local/domain/${this.domid}/name`;
  }

  /** A number that tells the domain from most others of its number. */
  get hash(): number {
    return fnv1a(new TextEncoder().encode(this.identity));
  }

  /** Reads the name again, and returns whether it has changed. A domain that goes keeps its name. */
  readName(): boolean {
    const name = domainName(this.store, this.domid);
    if (name === this.#name || name === String(this.domid)) return false;
    this.#name = name;
    return true;
  }

  /** Whether the domain was seen to have died. A card in the place of one of its cards is another domain's. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /** Whether the domain has died. Always false in a driver domain, which may not ask. */
  look(): boolean {
    try {
      if (!this.store.isIntroduced(this.domid)) this.#isDead = true;
    } catch (error) {
      if (!isForbidden(error)) throw error;
    }
    return this.#isDead;
  }

  /** Whether another domain has the number now, or the domain has died. */
  isAnother(): boolean {
    return this.#isDead || this.#identityNow() !== this.identity;
  }

  /** The path of the domain's `/vm` directory, which has its uuid. */
  #identityNow(): string | undefined {
    try {
      return this.store.read(`/local/domain/${this.domid}/vm`);
    } catch (error) {
      if (isForbidden(error)) return undefined;
      throw error;
    }
  }
}

const isForbidden = (error: unknown) => error instanceof StoreError && error.code === "EACCES";
