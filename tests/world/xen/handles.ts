// SPDX-License-Identifier: MIT
/** Handles that the world's libraries give out: pointers that point to nothing, each for an object of the world. */
import { currentThread } from "../machine/process.ts";

type Pointer = NonNullable<Deno.PointerValue>;

let last = 0x5e00_0000_0000;

export class Handles<T extends object> {
  readonly #byAddress = new Map<number, T>();
  readonly #byPointer = new WeakMap<Pointer, T>();
  /** By address: undoes what the process's end would do. */
  readonly #keep = new Map<number, () => void>();

  /** @param what of which kind the handles are, for errors */
  constructor(private readonly what: string) {}

  /** A new handle of the running process, which ends with the process. */
  give(object: T): Pointer {
    const address = last += 64;
    const pointer = Deno.UnsafePointer.create(BigInt(address))!;
    this.#byAddress.set(address, object);
    this.#byPointer.set(pointer, object);
    this.#keep.set(address, currentThread().process.atEnd(() => this.#forget(address)));
    return pointer;
  }

  /** The object of a handle. Throws if there is none: the real library would crash. */
  get(pointer: Deno.PointerValue): T {
    if (pointer !== null) {
      const known = this.#byPointer.get(pointer);
      if (known !== undefined) return known;
      const object = this.#byAddress.get(Number(Deno.UnsafePointer.value(pointer)));
      if (object !== undefined) {
        this.#byPointer.set(pointer, object);
        return object;
      }
    }
    throw new Error(
      `a function of a library is called with a ${this.what} that is closed, or never was open`,
    );
  }

  /** Ends a handle. */
  take(pointer: Deno.PointerValue): T {
    const object = this.get(pointer);
    const address = Number(Deno.UnsafePointer.value(pointer));
    this.#byPointer.delete(pointer!);
    this.#keep.get(address)?.();
    this.#forget(address);
    return object;
  }

  #forget(address: number): void {
    this.#byAddress.delete(address);
    this.#keep.delete(address);
  }
}
