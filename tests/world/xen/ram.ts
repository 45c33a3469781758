// SPDX-License-Identifier: MIT
/** The memory of a domain: frames of a page, and the domain's own mapping of all of them, side by side. */
import { XEN_PAGE_SIZE } from "../../../lib/xen/ports.ts";
import { bufferAt, copy, isEqual, MemoryFile, unmap } from "./real_memory.ts";

export class Ram {
  readonly #file: MemoryFile;
  /** The domain's own mapping. */
  #view: number;
  readonly #isUsed: Uint8Array;
  #next = 0;
  #used = 0;

  constructor(readonly pages: number) {
    this.#file = new MemoryFile(pages);
    this.#view = this.#file.mapShared(0, pages);
    this.#isUsed = new Uint8Array(pages);
  }

  /** How many frames are in use. */
  get used(): number {
    return this.#used;
  }

  /** Takes `count` frames side by side, zeroed; returns the first one's number, or -1 if there are none. */
  allocate(count: number): number {
    for (let tries = 0, first = this.#next; tries <= this.pages + count; tries++, first++) {
      if (first + count > this.pages) first = 0;
      let length = 0;
      while (length < count && this.#isUsed[first + length] === 0) length++;
      if (length === count) {
        this.#isUsed.fill(1, first, first + count);
        this.#next = first + count;
        this.#used += count;
        this.octets(first, count).fill(0);
        return first;
      }
      tries += length;
      first += length;
    }
    return -1;
  }

  free(frame: number): void {
    this.#isUsed[frame] = 0;
    this.#used--;
  }

  /** The address of a frame in the domain's own mapping. */
  address(frame: number): number {
    return this.#view + frame * XEN_PAGE_SIZE;
  }

  octets(first: number, count: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.buffer(first, count));
  }

  /** A new ArrayBuffer over `count` frames. */
  buffer(first: number, count: number): ArrayBuffer {
    return bufferAt(this.address(first), count * XEN_PAGE_SIZE);
  }

  /** Maps `count` frames at `address`: a write through a mapping for reading stays in the mapping. */
  mapAt(address: number, first: number, count: number, isWritable: boolean): void {
    if (isWritable) this.#file.mapShared(first, count, address);
    else this.#file.mapPrivate(first, count, address);
  }

  /** Whether the octets of `count` frames are those at `address`. */
  equals(first: number, count: number, address: number): boolean {
    return isEqual(this.address(first), address, count * XEN_PAGE_SIZE);
  }

  /**
   * A copy of this memory, which takes over this one's place in the domain's own mapping: what the domain has there stays valid.
   * This memory gets another place, for whoever has pages of it mapped.
   */
  moved(): Ram {
    const other = new Ram(this.pages);
    for (let frame = 0; frame < this.pages; frame++) {
      if (this.#isUsed[frame] === 1) copy(other.address(frame), this.address(frame), XEN_PAGE_SIZE);
    }
    unmap(other.#view, this.pages * XEN_PAGE_SIZE);
    other.#view = other.#file.mapShared(0, this.pages, this.#view);
    this.#view = this.#file.mapShared(0, this.pages);
    other.#isUsed.set(this.#isUsed);
    other.#used = this.#used;
    return other;
  }

  /** Gives the memory back. Mappings of other domains outlive this. */
  end(): void {
    unmap(this.#view, this.pages * XEN_PAGE_SIZE);
    this.#file.close();
  }
}
