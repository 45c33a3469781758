// SPDX-License-Identifier: MIT
/** Memory for ALSA's opaque structures. */
import { check } from "./alsa_error.ts";

/** Calls one of ALSA's `snd_*_malloc` functions; the caller frees the structure. Throws {@link AlsaError}. */
export function allocate(
  malloc: (ptr: BigUint64Array<ArrayBuffer>) => number,
  call: string,
): NonNullable<Deno.PointerValue> {
  const out = new BigUint64Array(1);
  check(malloc(out), call);
  return createdPointer(out);
}

/** The pointer that a call which succeeded has stored in `out`. */
export function createdPointer(out: BigUint64Array<ArrayBuffer>): NonNullable<Deno.PointerValue> {
  const pointer = Deno.UnsafePointer.create(out[0] ?? 0n);
  if (pointer === null) throw new TypeError("ALSA reported success and stored no pointer");
  return pointer;
}
