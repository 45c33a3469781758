// SPDX-License-Identifier: MIT
/** Tells a device that stands still from one that has yet to start, and from one that moves in long steps. */
import assert from "node:assert/strict";
import { DeviceWatch } from "../../lib/engine/device_watch.ts";
import type { TimerFd } from "../../ffi/libc/timer_fd.ts";

/** A watch over a device, whose pointer `at` tells for each ms; returns the ms at which it was found to stand still, or -1. */
function foundAt(bufferMs: number, at: (ms: number) => number, forMs = 20_000): number {
  let intervalMs = 0;
  const timer = { fd: 0, arm: (_first: number, ns: number) => intervalMs = ns / 1e6, drain: () => true };
  const watch = new DeviceWatch(timer as unknown as TimerFd, bufferMs / 1000);
  watch.begin();
  for (let ms = intervalMs; ms < forMs; ms += intervalMs) if (watch.standsAt(at(ms))) return ms;
  return -1;
}

/** A pointer that begins to move after `startMs`, in steps of `stepMs`, and stands from `endMs` on. */
const steps = (startMs: number, stepMs: number, endMs = Infinity) => (ms: number) =>
  Math.floor(Math.max(0, Math.min(ms, endMs) - startMs) / stepMs);

Deno.test("a device that moves is never found, however coarse its steps are, if they are as long as they have been", () => {
  for (const bufferMs of [10, 100, 500, 2000]) {
    for (const stepMs of [1, 20, 100, 125, 400, 1000]) {
      for (const startMs of [0, 500, 1000 - stepMs]) {
        assert.equal(foundAt(bufferMs, steps(startMs, stepMs)), -1, `${bufferMs}, ${stepMs}, ${startMs} ms`);
      }
    }
  }
});

Deno.test("a device that stands still is found within half a second, or twice its longest step", () => {
  const end = 10_000;
  for (const bufferMs of [10, 100, 300, 500, 2000]) {
    for (const stepMs of [1, 20, 100, 400, 1000]) {
      const found = foundAt(bufferMs, steps(200, stepMs, end)) - end;
      const least = Math.min(Math.max(bufferMs, 100), 375);
      assert(found >= least - stepMs, `${bufferMs}, ${stepMs} ms: after ${found} ms`);
      assert(found <= Math.max(500, 2 * stepMs + 4 * 125), `${bufferMs}, ${stepMs} ms: after ${found} ms`);
    }
  }
});

Deno.test("a device that never begins to move is found, later than one that takes its time to begin", () => {
  for (const bufferMs of [10, 100, 500, 2000]) {
    const found = foundAt(bufferMs, () => 0);
    assert(found >= 1500 && found <= 2000, `${bufferMs} ms: after ${found} ms`);
  }
});
