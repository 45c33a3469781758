/**
 * Raw memory by address: what C functions are given when a typed array would cost an allocation a call.
 *
 * A pointer to the middle of a block is an object in Deno, and making one takes a tenth of a microsecond and
 * leaves garbage. Rings come back to the same few offsets again and again, so those are remembered.
 */
import { libc } from "./libc.ts";

type Pointer = NonNullable<Deno.PointerValue>;

/** Offsets remembered; a power of two. */
const REMEMBERED = 256;

export class Memory {
  #base: bigint | undefined;
  readonly #offsets = new Float64Array(REMEMBERED).fill(-1);
  readonly #pointers: (Pointer | undefined)[] = new Array(REMEMBERED).fill(undefined);

  /** `bytes` octets at `base`, which must outlive this object or its {@link release}. */
  constructor(base: bigint, readonly bytes: number) {
    this.#base = base;
  }

  /** The memory of `buffer`; keep the buffer as long as this. */
  static of(buffer: ArrayBuffer): Memory {
    return new Memory(Memory.addressOf(buffer), buffer.byteLength);
  }

  static addressOf(buffer: ArrayBuffer): bigint {
    return Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer));
  }

  /**
   * The address of octet `offset`, with `length` octets after it. Throws RangeError outside of the block, TypeError after
   * {@link release}. Allocates only for an offset that was not used lately.
   */
  at(offset: number, length: number): Pointer {
    if (this.#base === undefined) throw new TypeError("this memory was released");
    if (!(offset >= 0 && length >= 0 && offset + length <= this.bytes)) {
      throw new RangeError(`octets ${offset} to ${offset + length} of a block of ${this.bytes}`);
    }
    // Multiplying spreads multiples of large powers of two, which is what ring offsets are.
    const slot = (Math.imul(offset, 0x9e3779b1) >>> 24) & (REMEMBERED - 1);
    if (this.#offsets[slot] !== offset) {
      this.#pointers[slot] = Deno.UnsafePointer.create(this.#base + BigInt(offset))!;
      this.#offsets[slot] = offset;
    }
    return this.#pointers[slot]!;
  }

  /** Refuses all use from now on: to be called before the memory goes away. */
  release(): void {
    this.#base = undefined;
    this.#pointers.fill(undefined);
  }
}

/** memcpy(3) between two blocks, bounds checked. */
export function copyMemory(
  to: Memory,
  toOffset: number,
  from: Memory,
  fromOffset: number,
  length: number,
): void {
  libc().hot_memcpy(to.at(toOffset, length), from.at(fromOffset, length), length);
}
