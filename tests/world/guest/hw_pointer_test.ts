// SPDX-License-Identifier: MIT
/** The core's count of the device's pointer: rounds of the buffer, late interrupts, a pointer that goes back. */
import assert from "node:assert/strict";
import { CONFIG } from "./guest_rig.ts";
import { HwPointer } from "./hw_pointer.ts";

/** A pointer that has been started at 0, in a buffer of 1920 frames and 40 ms, with periods of 480. */
function started(): HwPointer {
  const pointer = new HwPointer();
  pointer.reset(CONFIG);
  pointer.started(0);
  return pointer;
}

Deno.test("HwPointer counts rounds of the buffer", () => {
  const pointer = started();
  const frames = [480, 960, 1440, 0, 480, 1919, 100].map((pos, i) => {
    assert.ok(pointer.update(pos, true, 10_000 * (i + 1)));
    return pointer.frame;
  });
  assert.deepEqual(frames, [480, 960, 1440, 1920, 2400, 3839, 3940]);
});

Deno.test("HwPointer takes a late interrupt with less than a period for a whole round, and no other reading", () => {
  for (const isInterrupt of [true, false]) {
    const pointer = started();
    pointer.update(700, true, 15_000);
    assert.ok(pointer.update(900, isInterrupt, 200_000));
    assert.equal(pointer.frame, isInterrupt ? 1920 + 900 : 900);
  }
});

Deno.test("HwPointer takes a pointer that goes back for most of a round", () => {
  const pointer = started();
  pointer.update(1919, false, 1000);
  assert.ok(pointer.update(1918, false, 2000));
  assert.equal(pointer.frame, 1920 + 1918);
});
