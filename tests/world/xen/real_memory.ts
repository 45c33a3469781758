// SPDX-License-Identifier: MIT
/** Real memory, by the real C library: blocks that free(3) takes, files of memory, and mappings of these files. */
import { MAP, MFD, PROT } from "../../../ffi/libc/libc.ts";
import { XEN_PAGE_SIZE } from "../../../lib/xen/ports.ts";
import { real } from "../machine/platform.ts";

type Pointer = NonNullable<Deno.PointerValue>;

// Sizes and offsets are 32-bit ones, as in ffi/libc/libc.ts: numbers, and right for what is below 4 GiB.
const { symbols: libc } = real.dlopen("libc.so.6", {
  malloc: { parameters: ["u32"], result: "pointer" }, // size
  free: { parameters: ["pointer"], result: "void" }, // ptr
  fill: { name: "memcpy", parameters: ["pointer", "buffer", "u32"], result: "pointer" }, // dest, src, n
  memcpy: { parameters: ["usize", "usize", "u32"], result: "pointer" }, // dest, src, n
  memcmp: { parameters: ["usize", "usize", "u32"], result: "i32" }, // s1, s2, n
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" }, // name, flags
  ftruncate: { parameters: ["i32", "u32"], result: "i32" }, // fd, length
  mmap: { parameters: ["usize", "u32", "i32", "i32", "i32", "u32"], result: "pointer" }, // addr, length, prot, flags, fd, offset
  munmap: { parameters: ["usize", "u32"], result: "i32" }, // addr, length
  close: { parameters: ["i32"], result: "i32" }, // fd
});

const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const bufferOver = Deno.UnsafePointerView.getArrayBuffer;

/** A block of malloc(3) with these octets, for a C function's caller to free(3). */
export function allocated(octets: Uint8Array<ArrayBuffer>): Pointer {
  const pointer = libc.malloc(octets.length || 1);
  if (pointer === null) throw new Error(`malloc(3) of ${octets.length} octets has failed`);
  if (octets.length > 0) libc.fill(pointer, octets, octets.length);
  return pointer;
}

/** A block of malloc(3): `pointers` C strings' addresses, and behind them the strings, one after the other. */
export function allocatedStrings(strings: readonly Uint8Array[]): Pointer {
  const table = strings.length * 8;
  const bytes = strings.reduce((sum, { length }) => sum + length + 1, table) || 1;
  const pointer = libc.malloc(bytes);
  if (pointer === null) throw new Error(`malloc(3) of ${bytes} octets has failed`);
  const block = new Uint8Array(bytes);
  const words = new BigUint64Array(block.buffer, 0, strings.length);
  const base = Deno.UnsafePointer.value(pointer);
  let at = table;
  strings.forEach((string, index) => {
    words[index] = base + BigInt(at);
    block.set(string, at);
    at += string.length + 1;
  });
  libc.fill(pointer, block, bytes);
  return pointer;
}

/** Gives back a block of {@link allocated}. */
export function free(pointer: Pointer): void {
  libc.free(pointer);
}

/** A mapping at `address`, or anywhere if that is 0: of the file `fd` from `offset` on, or of private memory if `fd` is -1. */
export function map(address: number, bytes: number, flags: number, fd = -1, offset = 0): number {
  const all = flags | (address === 0 ? 0 : MAP.FIXED) | (fd === -1 ? MAP.ANONYMOUS | MAP.NORESERVE : 0);
  const pointer = libc.mmap(BigInt(address), bytes, PROT.READ | PROT.WRITE, all, fd, offset);
  const value = Deno.UnsafePointer.value(pointer);
  if (value === MAP_FAILED) throw new Error(`mmap(2) of ${bytes} octets has failed`);
  return Number(value);
}

export function unmap(address: number, bytes: number): void {
  libc.munmap(BigInt(address), bytes);
}

export function copy(to: number, from: number, bytes: number): void {
  libc.memcpy(BigInt(to), BigInt(from), bytes);
}

export function isEqual(one: number, other: number, bytes: number): boolean {
  return libc.memcmp(BigInt(one), BigInt(other), bytes) === 0;
}

/** An ArrayBuffer over memory, which nobody else hears of. */
export function bufferAt(address: number, bytes: number): ArrayBuffer {
  return bufferOver(Deno.UnsafePointer.create(BigInt(address))!, bytes);
}

const NAME = new TextEncoder().encode("xsnd-world\0");

/** A file of memory (memfd_create(2)), all zeros at first. */
export class MemoryFile {
  readonly fd: number;

  constructor(readonly pages: number) {
    this.fd = libc.memfd_create(NAME, MFD.CLOEXEC);
    if (this.fd < 0 || libc.ftruncate(this.fd, pages * XEN_PAGE_SIZE) < 0) {
      throw new Error(`memfd_create(2) of ${pages} pages has failed`);
    }
  }

  /** Maps `pages` pages from page `first` on, so that all mappings see what any writes. */
  mapShared(first: number, pages: number, address = 0): number {
    return map(address, pages * XEN_PAGE_SIZE, MAP.SHARED, this.fd, first * XEN_PAGE_SIZE);
  }

  /** As {@link mapShared}, but a write through the mapping stays in the mapping. */
  mapPrivate(first: number, pages: number, address = 0): number {
    return map(address, pages * XEN_PAGE_SIZE, MAP.PRIVATE, this.fd, first * XEN_PAGE_SIZE);
  }

  /** Mappings outlive the file. */
  close(): void {
    libc.close(this.fd);
  }
}
