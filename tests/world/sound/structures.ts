// SPDX-License-Identifier: MIT
/** The virtual libasound's memory: structures that only it looks into, and strings that the program reads. */
import { addressOf } from "../../../ffi/libc/pointers.ts";

export type Pointer = Deno.PointerValue;

/** Structures that the program has allocated, by their addresses. */
export class Structures<T extends object> {
  readonly #at = new Map<bigint, T>();
  readonly #byPointer = new WeakMap<object, T>();
  #last: bigint;

  constructor(base: bigint) {
    this.#last = base;
  }

  put(structure: T, out: unknown): 0 {
    this.#last += 0x1000n;
    this.#at.set(this.#last, structure);
    (out as BigUint64Array)[0] = this.#last;
    return 0;
  }

  at(pointer: Pointer): T {
    const known = pointer === null ? undefined : this.#byPointer.get(pointer);
    if (known !== undefined) return known;
    const found = pointer === null ? undefined : this.#at.get(Deno.UnsafePointer.value(pointer));
    if (found === undefined) {
      throw new TypeError("libasound got a pointer that is no structure, or was freed");
    }
    this.#byPointer.set(pointer!, found);
    return found;
  }

  free(pointer: Pointer): void {
    if (pointer === null) return;
    this.#at.delete(Deno.UnsafePointer.value(pointer));
    this.#byPointer.delete(pointer);
  }
}

/** Strings of the library's own, which live as long as the library. */
const texts = new Map<string, NonNullable<Pointer>>();

export function textOf(text: string): NonNullable<Pointer> {
  let pointer = texts.get(text);
  if (pointer === undefined) texts.set(text, pointer = addressOf(new TextEncoder().encode(`${text}\0`)));
  return pointer;
}
