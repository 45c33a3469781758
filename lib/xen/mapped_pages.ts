// SPDX-License-Identifier: MIT
/** Pages that C code has mapped, as one ArrayBuffer. The disposal detaches the buffer before it unmaps the pages. */
import { Errno } from "../../ffi/libc/failed_call.ts";
import { GrantError, type Mapping, XEN_PAGE_SIZE } from "./ports.ts";

type Pointer = NonNullable<Deno.PointerValue>;

/** Runs `body`, which calls C. Turns an Errno into a {@link GrantError} that begins with `what`. */
export function grantCall<T>(what: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw cause instanceof Errno ? new GrantError(`${what}: ${cause.code}`, { cause }) : cause;
  }
}

export class MappedPages implements Mapping {
  readonly buffer: ArrayBuffer;
  readonly address: bigint;
  #unmap: (() => void) | undefined;

  /** @param unmap called once, after {@link buffer} is detached */
  constructor(start: Pointer, readonly pages: number, unmap: () => void) {
    this.buffer = Deno.UnsafePointerView.getArrayBuffer(start, pages * XEN_PAGE_SIZE);
    this.address = Deno.UnsafePointer.value(start);
    this.#unmap = unmap;
  }

  [Symbol.dispose](): void {
    const unmap = this.#unmap;
    this.#unmap = undefined;
    if (unmap === undefined) return;
    this.buffer.transfer(0);
    unmap();
  }
}
