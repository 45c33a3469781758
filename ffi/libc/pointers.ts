// SPDX-License-Identifier: MIT
/** Pointers for C functions, and how long the memory behind them lives. */
import { libc } from "./libc.ts";

/** The buffer behind each pointer of {@link addressOf}. */
const pointedInto = new WeakMap<NonNullable<Deno.PointerValue>, ArrayBuffer>();

/**
 * The address of a (non-empty) typed array's memory, right for as long as the caller keeps the pointer and nobody detaches the
 * buffer. (`UnsafePointer.offset` alone keeps no buffer alive.) V8 keeps small typed arrays in its moving heap until
 * someone asks for their `buffer`, hence the detour.
 */
export function addressOf(view: ArrayBufferView<ArrayBuffer>): NonNullable<Deno.PointerValue> {
  const pointer = Deno.UnsafePointer.offset(Deno.UnsafePointer.of(view.buffer)!, view.byteOffset)!;
  pointedInto.set(pointer, view.buffer);
  return pointer;
}

/**
 * Awaits a `nonblocking` call while `memory` (its buffers) stays reachable. Deno passes the pool thread bare addresses, so the
 * collector may free an unreachable buffer in the middle of the call.
 */
export async function whileAlive<T>(call: Promise<T>, ...memory: unknown[]): Promise<T> {
  try {
    return await call;
  } finally {
    memory.length = 0;
  }
}

/**
 * The address of a C function that takes nothing, has no effect and returns a constant: a C library's callback, of whatever
 * type, that is to do nothing. Deno cannot make a variadic callback, and nobody may call a JavaScript function on a foreign
 * thread. In the calling conventions of x86_64 and aarch64 Linux alike the caller owns all arguments, and ignores a result
 * that it did not ask for.
 */
export function functionWithoutEffect(): NonNullable<Deno.PointerValue> {
  return libc().address_of_gnu_get_libc_version as NonNullable<Deno.PointerValue>;
}
