// SPDX-License-Identifier: MIT
/** CLOCK_MONOTONIC: the time since this host's start. All processes have the same, and nobody sets it. */
import { unwrap } from "./failed_call.ts";
import { CLOCK, libc } from "./libc.ts";

/** In µs. Not for the hot path: makes BigInts. */
export function monotonicMicros(): bigint {
  const time = new BigInt64Array(2); // struct timespec { tv_sec, tv_nsec }
  unwrap(libc().clock_gettime(CLOCK.MONOTONIC, time), "clock_gettime");
  const [seconds = 0n, nanoseconds = 0n] = time;
  return seconds * 1_000_000n + nanoseconds / 1000n;
}

/** In whole ms. */
export function monotonicMs(): number {
  return Number(monotonicMicros() / 1000n);
}
