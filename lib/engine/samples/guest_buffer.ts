// SPDX-License-Identifier: MIT
/**
 * A stream's shared sample buffer: mapped pages that the guest writes at will. The engine copies their octets and never
 * interprets them in place. This object alone knows where the pages are, and forgets it before they are unmapped.
 */
import { copyMemory, Memory } from "../../../ffi/libc/memory.ts";

export class GuestBuffer {
  readonly #shared: Memory;
  readonly #staging: Memory;

  /**
   * @param shared the buffer, a whole number of frames; {@link detach} releases it
   * @param staging private memory, the other end of each copy
   */
  constructor(shared: Memory, staging: ArrayBuffer) {
    this.#shared = shared;
    this.#staging = Memory.of(staging);
  }

  get bytes(): number {
    return this.#shared.bytes;
  }

  /** Copies `length` octets at `offset` of the guest's buffer to the start of staging. Throws RangeError. */
  toStaging(offset: number, length: number): void {
    copyMemory(this.#staging, 0, this.#shared, offset, length);
  }

  /** Copies `length` octets from the start of staging to `offset` of the guest's buffer. Throws RangeError. */
  fromStaging(offset: number, length: number): void {
    copyMemory(this.#shared, offset, this.#staging, 0, length);
  }

  /** From now on an access throws, instead of touching memory that the main thread unmaps. */
  detach(): void {
    this.#shared.release();
  }
}
