// SPDX-License-Identifier: MIT
/** The monotonic clock in microseconds that fit a small integer. */
import { CLOCK, libc } from "./libc.ts";
import { addressOf } from "./pointers.ts";

/**
 * CLOCK_MONOTONIC in µs, as a 32-bit number that wraps. Only differences mean something: take them with `| 0`, of instants less
 * than half an hour apart. V8 passes small integers without allocating; other numbers become objects on their way from call to
 * call.
 */
export class MicrosClock {
  readonly #time = new BigInt64Array(2); // struct timespec { s, ns }
  readonly #words = new Int32Array(this.#time.buffer);
  readonly #address = addressOf(this.#time);

  /** Allocates nothing. */
  now(): number {
    libc().hot_clock_gettime(CLOCK.MONOTONIC, this.#address);
    return wrappedMicros(this.#words[0]!, this.#words[2]!);
  }

  /** The whole seconds of what {@link now} has returned last. They do not wrap. */
  get seconds(): number {
    return this.#words[0]!;
  }
}

/** A `struct timespec` of CLOCK_MONOTONIC in {@link MicrosClock}'s µs. */
export function wrappedMicros(seconds: number, nanoseconds: number): number {
  return Math.imul(seconds, 1_000_000) + ((nanoseconds / 1000) | 0) | 0;
}
