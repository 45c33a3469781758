// SPDX-License-Identifier: MIT
/** Strings on their way to C and back: NUL-terminated UTF-8. */

const encoder = new TextEncoder();

/** A NUL-terminated UTF-8 copy of `text`. Throws TypeError if `text` holds a NUL. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) throw new TypeError(`a C string cannot hold a NUL: ${JSON.stringify(text)}`);
  return encoder.encode(`${text}\0`);
}

/** A copy of the C string at `pointer`; `""` for NULL. C keeps the string. */
export function textAt(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : Deno.UnsafePointerView.getCString(pointer);
}
