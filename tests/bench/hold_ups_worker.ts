// SPDX-License-Identifier: MIT
/** The thread of one processor, for hold_ups.ts. */
/// <reference lib="deno.worker" />
import type { HoldUpStart } from "./hold_ups.ts";

const SLEEP_MS = 5;

/** Has this thread run on one processor only. */
function stayOn(processor: number): void {
  const libc = Deno.dlopen("libc.so.6", {
    sched_setaffinity: { parameters: ["i32", "usize", "buffer"], result: "i32" },
  });
  const processors = new Uint8Array(128);
  processors[processor >> 3] = 1 << (processor & 7);
  if (libc.symbols.sched_setaffinity(0, BigInt(processors.length), processors) !== 0) {
    throw new Error(`sched_setaffinity(2) refuses processor ${processor}`);
  }
}

self.onmessage = ({ data: { overslept, processor, end } }: MessageEvent<HoldUpStart>) => {
  stayOn(processor);
  while (Atomics.load(end, 0) === 0) {
    const start = performance.now();
    Atomics.wait(end, 0, 0, SLEEP_MS);
    const micros = Math.round((performance.now() - start - SLEEP_MS) * 1000);
    if (micros > Atomics.load(overslept, processor)) Atomics.store(overslept, processor, micros);
  }
};
