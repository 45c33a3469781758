// SPDX-License-Identifier: MIT
/**
 * The addresses at which processes map granted pages. An address whose pages are unmapped is not unmapped: a touch would be a
 * SIGSEGV, and end the test. Such an address gets private pages of a pattern ("poison"). Whoever writes there leaves a trace, and
 * a copy from there or to there is reported. The oldest poisoned ranges are checked and used again.
 */
import { MAP } from "../../../ffi/libc/libc.ts";
import { XEN_PAGE_SIZE } from "../../../lib/xen/ports.ts";
import type { MemoryWatch } from "../machine/libc.ts";
import { replace } from "../machine/platform.ts";
import { bufferAt, isEqual, map, MemoryFile } from "./real_memory.ts";

/** 2 GiB of addresses. */
const PAGES = 1 << 19;
/** Beyond so many poisoned pages or ranges the oldest ones are used again. */
const POISONED_PAGES = 2048;
const POISONED_RANGES = 256;
const PATTERN = 0xdb;
/** Pages of the file with the pattern. */
const PATTERN_PAGES = 256;

/** A range of addresses: pages mapped, or poisoned. */
export interface Range {
  /** Of the first page. */
  readonly address: number;
  readonly pages: number;
  /** What the range is, for reports. */
  readonly name: string;
  /** Whose pages they are. */
  readonly owner: object | undefined;
  /** Whether the range is mapped still. */
  isMapped: boolean;
  /** Each ArrayBuffer that production code has made over the range. */
  readonly views: ArrayBuffer[];
}

class AddressSpace implements MemoryWatch {
  readonly #start = map(0, PAGES * XEN_PAGE_SIZE, MAP.PRIVATE);
  readonly #ranges: (Range | undefined)[] = new Array(PAGES).fill(undefined);
  readonly #pattern = new MemoryFile(PATTERN_PAGES);
  readonly #patternAt = this.#pattern.mapShared(0, PATTERN_PAGES);
  #poisoned: Range[] = [];
  #poisonedPages = 0;
  #next = 0;
  /** Told of each misuse. */
  report: (what: string) => void = () => {};
  /** Told of each copy to or from mapped pages. */
  onCopy: (range: Range, address: number, octets: number) => void = () => {};

  constructor() {
    new Uint8Array(bufferAt(this.#patternAt, PATTERN_PAGES * XEN_PAGE_SIZE)).fill(PATTERN);
  }

  /** Takes addresses for `pages` pages. The caller maps pages there. */
  take(pages: number, name: string, owner?: object): Range {
    const first = this.#findFree(pages);
    const range = {
      address: this.#start + first * XEN_PAGE_SIZE,
      pages,
      name,
      owner,
      isMapped: true,
      views: [],
    };
    this.#ranges.fill(range, first, first + pages);
    this.#next = first + pages;
    return range;
  }

  #findFree(pages: number): number {
    let first = this.#next;
    for (let tries = 0; tries < 2 * PAGES; tries++) {
      if (first + pages > PAGES) first = 0;
      let length = 0;
      while (length < pages && this.#ranges[first + length] === undefined) length++;
      if (length === pages) return first;
      first += length + 1;
    }
    throw new Error(`no ${pages} pages of addresses are free`);
  }

  /** Replaces the pages of `range` by poison. */
  poison(range: Range): void {
    for (let page = 0; page < range.pages; page += PATTERN_PAGES) {
      const pages = Math.min(PATTERN_PAGES, range.pages - page);
      this.#pattern.mapPrivate(0, pages, range.address + page * XEN_PAGE_SIZE);
    }
    range.isMapped = false;
    range.views.length = 0;
    this.#poisoned.push(range);
    this.#poisonedPages += range.pages;
    while (this.#poisoned.length > POISONED_RANGES || this.#poisonedPages > POISONED_PAGES) this.#recycle();
  }

  /** Frees the oldest poisoned range. */
  #recycle(): void {
    const range = this.#poisoned.shift()!;
    this.#poisonedPages -= range.pages;
    this.#check(range);
    const first = (range.address - this.#start) / XEN_PAGE_SIZE;
    this.#ranges.fill(undefined, first, first + range.pages);
    map(range.address, range.pages * XEN_PAGE_SIZE, MAP.PRIVATE);
  }

  #check(range: Range): boolean {
    for (let page = 0; page < range.pages; page += PATTERN_PAGES) {
      const pages = Math.min(PATTERN_PAGES, range.pages - page);
      if (isEqual(range.address + page * XEN_PAGE_SIZE, this.#patternAt, pages * XEN_PAGE_SIZE)) continue;
      this.report(`somebody has written to ${range.name} after its end`);
      return false;
    }
    return true;
  }

  /** Reports each poisoned range that somebody has written to since it was poisoned, once. */
  checkPoison(): void {
    for (const range of [...this.#poisoned]) {
      if (this.#check(range)) continue;
      this.#poisoned = this.#poisoned.filter((other) => other !== range);
      this.#poisonedPages -= range.pages;
      this.poison(range);
    }
  }

  /** The end of a world: checks all poisoned ranges, and frees them. */
  clear(): void {
    while (this.#poisoned.length > 0) this.#recycle();
  }

  /** The range of `address`; undefined if there is none. */
  at(address: number): Range | undefined {
    const page = Math.floor((address - this.#start) / XEN_PAGE_SIZE);
    return page >= 0 && page < PAGES ? this.#ranges[page] : undefined;
  }

  copied(to: bigint, from: bigint, length: number): void {
    if (length === 0) return;
    this.#touched(Number(to), length, "to");
    this.#touched(Number(from), length, "from");
  }

  #touched(address: number, length: number, direction: string): void {
    const offset = address - this.#start;
    if (offset < 0 || offset >= PAGES * XEN_PAGE_SIZE) return;
    const range = this.at(address);
    if (range === undefined) return this.report(`a copy ${direction} addresses that nobody has mapped`);
    if (!range.isMapped) return this.report(`a copy ${direction} ${range.name} after its end`);
    const end = range.address + range.pages * XEN_PAGE_SIZE;
    if (address + length > end) this.report(`a copy ${direction} ${range.name} goes beyond its end`);
    this.onCopy(range, address, length);
  }

  /** Notes that production code has made `buffer` over memory at `address`. */
  viewed(address: number, buffer: ArrayBuffer): void {
    const range = this.at(address);
    if (range === undefined) return;
    if (range.isMapped) range.views.push(buffer);
    else this.report(`a view is made over ${range.name} after its end`);
  }
}

/** The addresses of all worlds of this process. */
export const addressSpace = new AddressSpace();

/** Hears from now on of each ArrayBuffer that anybody makes over mapped pages. To be called once, with `installPlatform`. */
export function installViewWatch(): void {
  const make = Deno.UnsafePointerView.getArrayBuffer;
  replace(
    Deno.UnsafePointerView,
    "getArrayBuffer",
    (pointer: Deno.PointerObject, bytes: number, offset = 0) => {
      const buffer = make(pointer, bytes, offset);
      addressSpace.viewed(Number(Deno.UnsafePointer.value(pointer)) + offset, buffer);
      return buffer;
    },
  );
}
