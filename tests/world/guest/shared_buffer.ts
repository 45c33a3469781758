// SPDX-License-Identifier: MIT
/**
 * A stream's buffer, shared with the backend through a page directory (drivers/xen/xen-front-pgdir-shbuf.c), and the frames that
 * programs leave there.
 */
import { bufferPages, directoryPages, writePageDirectory } from "../../../lib/sndif/mod.ts";
import type { GuestDomain, SharedRam } from "../xen/guest_domain.ts";
import { wordOf } from "./account.ts";

/** Octets of a frame that has a number: one 32-bit word. */
export const COUNTABLE = 4;

export class SharedBuffer {
  readonly #pages: SharedRam;
  readonly #directory: SharedRam;
  readonly octets: Uint8Array;
  readonly words: Uint32Array;

  /** Throws if the domain has no pages or grants left. */
  constructor(domain: GuestDomain, backendDomid: number, bytes: number, private readonly frameBytes: number) {
    const pages = bufferPages(bytes);
    this.#pages = domain.share(pages, backendDomid);
    try {
      this.#directory = domain.share(directoryPages(pages), backendDomid);
    } catch (error) {
      this.#pages.revoke();
      throw error;
    }
    writePageDirectory(new Uint32Array(this.#directory.buffer), this.#directory.grefs, this.#pages.grefs);
    this.octets = new Uint8Array(this.#pages.buffer, 0, bytes);
    this.words = new Uint32Array(this.#pages.buffer, 0, bytes >> 2);
  }

  get directoryRef(): number {
    return this.#directory.grefs[0]!;
  }

  /** Puts `frames` frames at frame `offset`, numbered from `first` on. Frames of another size have no numbers, and are no silence. */
  fill(offset: number, frames: number, first: number, tag: number): void {
    if (this.frameBytes !== COUNTABLE) {
      this.octets.fill(first & 0x7f | 1, offset * this.frameBytes, (offset + frames) * this.frameBytes);
      return;
    }
    const { words } = this;
    for (let i = 0; i < frames; i++) words[offset + i] = wordOf(tag, first + i);
  }

  free(): void {
    this.#pages.revoke();
    this.#directory.revoke();
  }
}
