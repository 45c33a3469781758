// SPDX-License-Identifier: MIT
/**
 * Blocks of memory by address, for C calls of the hot path. A pointer to the middle of a block is an object in Deno, so each
 * would leave garbage. An address is a BigInt, and leaves no garbage where V8 has compiled the call: the BigInt never becomes an
 * object there. (`| 0` tells V8 that it converts an integer.)
 */
import { libc } from "./libc.ts";

/** A block of memory, bounds checked. */
export class Memory {
  #base: bigint | undefined;

  /** @param owner the buffer that V8 would collect otherwise: an address alone keeps nothing alive */
  private constructor(base: bigint, readonly bytes: number, readonly owner?: ArrayBuffer) {
    this.#base = base;
  }

  /** The memory of `buffer`. The buffer lives as long as this object. */
  static of(buffer: ArrayBuffer): Memory {
    return new Memory(Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer)), buffer.byteLength, buffer);
  }

  /** `bytes` octets at `address`, which their owner unmaps only after {@link release}. */
  static mapped(address: bigint, bytes: number): Memory {
    return new Memory(address, bytes);
  }

  /**
   * The block's address. Throws RangeError unless the block has `length` octets from `offset` on, TypeError after
   * {@link release}.
   */
  baseOf(offset: number, length: number): bigint {
    if (this.#base === undefined) throw new TypeError("this memory was released");
    if (!((offset | 0) === offset && offset >= 0 && length >= 0 && offset + length <= this.bytes)) {
      throw new RangeError(`octets ${offset} to ${offset + length} of a block of ${this.bytes}`);
    }
    return this.#base;
  }

  /** Refuses all use from now on. The owner calls this before it unmaps the memory. */
  release(): void {
    this.#base = undefined;
  }
}

/**
 * The one ArrayBuffer of this thread over `bytes` octets that another thread has mapped at `address`. This thread detaches the
 * buffer (`transfer(0)`) before the other unmaps the octets: views of a detached buffer are empty, and touch no memory.
 * @param address in decimal
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
