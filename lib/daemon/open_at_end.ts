// SPDX-License-Identifier: MIT
/** Which domains had a PCM open when they were last seen: one of them may be restored, with another number. */
import type { GuestDomain } from "./guest_domain.ts";

/** The domains that are remembered. One that is forgotten counts as never seen. */
const MOST_DOMAINS = 4096;

export class OpenAtEnd {
  /** By what tells domains apart: a domain that is restored is the same one. */
  readonly #wasOpen = new Map<string, boolean>();

  /** A card of the domain is not connected any more, and had a PCM open then (`isOpen`), or none. */
  ended({ identity }: GuestDomain, isOpen: boolean): void {
    if (identity === undefined) return;
    this.#wasOpen.set(identity, isOpen || this.#wasOpen.get(identity) === true);
    if (this.#wasOpen.size > MOST_DOMAINS) this.#wasOpen.delete(this.#wasOpen.keys().next().value!);
  }

  /** A card of the domain is connected. */
  began({ identity }: GuestDomain): void {
    if (identity !== undefined) this.#wasOpen.delete(identity);
  }

  /** Whether the domain may have a PCM open. A domain that was never seen here may come from another host. */
  mayBeOpen({ identity }: GuestDomain): boolean {
    return identity === undefined || this.#wasOpen.get(identity) !== false;
  }
}
