// SPDX-License-Identifier: MIT
/** Tests a stream that plays for weeks, on a clock that the test sets. */
import assert from "node:assert/strict";
import { POLL } from "../../ffi/libc/libc.ts";
import { XENSND_OP_TRIGGER_START, XENSND_OP_TRIGGER_STOP } from "../../lib/sndif/mod.ts";
import { EngineRig, RATE } from "./engine_rig.ts";

const FRAME_BYTES = 4;
const BUFFER_BYTES = 1 << 22;
const WEEKS_MS = 5 * 7 * 24 * 3600 * 1000;
/** Time between two readings of the device: shorter than the buffer, and not a whole number of frames or periods. */
const STEP_MS = 3333.7;

Deno.test("a stream that plays for weeks is told its position right to the end, and what is written then is heard", () => {
  const real = performance.now;
  let now = real.call(performance);
  performance.now = () => now;
  try {
    const rig = new EngineRig({ bufferBytes: BUFFER_BYTES });
    assert.equal(rig.trigger(XENSND_OP_TRIGGER_START), 0);
    const start = now;
    let told = 0;
    while (now - start < WEEKS_MS) {
      now += STEP_MS;
      rig.stream.servePcm(POLL.IN);
      for (const position of rig.takePositions()) {
        assert(position > told && position - told < BUFFER_BYTES, `${position} after ${told}`);
        told = position;
      }
      assert.equal(told, Math.floor((now - start) * RATE / 1000) * FRAME_BYTES);
    }
    assert(told > 2 ** 32 * 100);
    assert.equal(rig.status.get("positionFrames"), told / FRAME_BYTES);
    // The device has run dry all the time. The guest writes at its pointer, and the device continues there.
    assert.equal(rig.write(told % BUFFER_BYTES, 4096), 0);
    assert.equal(rig.status.get("guestFrames"), (told + 4096) / FRAME_BYTES);
    assert.equal(rig.status.get("cardFrames"), (told + 4096) / FRAME_BYTES);
    // The device ran dry once, and no frame is late.
    assert.deepEqual([rig.status.get("xruns"), rig.status.get("lateFrames")], [1, 0]);
    assert.equal(rig.trigger(XENSND_OP_TRIGGER_STOP), 0);
    rig[Symbol.dispose]();
  } finally {
    performance.now = real;
  }
});
