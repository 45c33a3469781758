// SPDX-License-Identifier: MIT
/**
 * Raw memory by address: what C functions are given when a typed array would cost an allocation a call. A pointer to the middle
 * of a block is an object in Deno, and making one leaves garbage; an address is a BigInt, which leaves none where V8
 * has compiled the call, since it never becomes an object there. (`| 0` lets it know that it converts an integer.)
 */
import { libc } from "./libc.ts";

export class Memory {
  #base: bigint | undefined;

  /** @param owner whose memory that is, if V8 would give it back: an address alone keeps nothing */
  private constructor(base: bigint, readonly bytes: number, readonly owner?: ArrayBuffer) {
    this.#base = base;
  }

  /** The memory of `buffer`, which lives as long as this. */
  static of(buffer: ArrayBuffer): Memory {
    return new Memory(Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer)), buffer.byteLength, buffer);
  }

  /** `bytes` octets that somebody else has mapped at `address`, and lets be until this has had its {@link release}. */
  static mapped(address: bigint, bytes: number): Memory {
    return new Memory(address, bytes);
  }

  /**
   * The block's address. Throws RangeError unless `length` octets from `offset` on are within the block, TypeError after
   * {@link release}.
   */
  baseOf(offset: number, length: number): bigint {
    if (this.#base === undefined) throw new TypeError("this memory was released");
    if (!((offset | 0) === offset && offset >= 0 && length >= 0 && offset + length <= this.bytes)) {
      throw new RangeError(`octets ${offset} to ${offset + length} of a block of ${this.bytes}`);
    }
    return this.#base;
  }

  /** Refuses all use from now on: to be called before the memory goes away. */
  release(): void {
    this.#base = undefined;
  }
}

/**
 * The one ArrayBuffer of this thread over `bytes` octets that another thread has mapped at `address`. It must be detached
 * (`transfer(0)`) before that one unmaps them: from then on views of it are empty, and touch nothing.
 */
export function mappedBuffer(address: string, bytes: number): ArrayBuffer {
  return Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(BigInt(address))!, bytes);
}

/** memcpy(3) between two blocks, bounds checked. */
export function copyMemory(
  to: Memory,
  toOffset: number,
  from: Memory,
  fromOffset: number,
  length: number,
): void {
  libc().hot_memcpy(
    BigInt.asUintN(64, to.baseOf(toOffset, length) + BigInt(toOffset | 0)),
    BigInt.asUintN(64, from.baseOf(fromOffset, length) + BigInt(fromOffset | 0)),
    length,
  );
}

/** write(2) of `length` octets at `offset`, bounds checked. */
export function writeMemory(fd: number, from: Memory, offset: number, length: number): number {
  const address = BigInt.asUintN(64, from.baseOf(offset, length) + BigInt(offset));
  return libc().hot_write_at(fd, address, length);
}
