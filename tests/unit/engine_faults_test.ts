// SPDX-License-Identifier: MIT
/** Tests each call of a device failing in turn: each request still gets one answer, and the stream plays after the next OPEN. */
import assert from "node:assert/strict";
import { ERRNO } from "../../ffi/libc/errno.ts";
import { POLL } from "../../ffi/libc/libc.ts";
import { DummyPcm } from "../../lib/pcm/dummy/pcm.ts";
import {
  XENSND_OP_TRIGGER_PAUSE,
  XENSND_OP_TRIGGER_RESUME,
  XENSND_OP_TRIGGER_START,
  XENSND_OP_TRIGGER_STOP,
} from "../../lib/sndif/mod.ts";
import { BUFFER_BYTES, EngineRig } from "./engine_rig.ts";

const CALLS = ["position", "pointer", "avail", "next", "write", "start", "drop", "prepare", "pause"] as const;
const FAILURES = {
  ENODEV: -ERRNO.ENODEV,
  EIO: -ERRNO.EIO,
  EPIPE: -ERRNO.EPIPE,
  ESTRPIPE: -ERRNO.ESTRPIPE,
  EAGAIN: -ERRNO.EAGAIN,
  EBADFD: -77,
  "something positive": 1,
};

/** Makes `call` return `result` from its `nth` use on, `times` times, while `body` runs. Returns whether `call` failed at all. */
function withFault(
  call: typeof CALLS[number],
  nth: number,
  times: number,
  result: number,
  body: () => void,
): boolean {
  const real = DummyPcm.prototype[call] as (this: DummyPcm, ...args: never[]) => number;
  let count = 0;
  // deno-lint-ignore no-explicit-any
  (DummyPcm.prototype as any)[call] = function (this: DummyPcm, ...args: never[]) {
    const failed = count >= nth && count < nth + times;
    count++;
    return failed ? result : real.apply(this, args);
  };
  try {
    body();
  } finally {
    // deno-lint-ignore no-explicit-any
    (DummyPcm.prototype as any)[call] = real;
  }
  return count > nth;
}

/** Does everything a guest does with a stream. Each call throws if its request gets no answer. */
function live(rig: EngineRig): void {
  const turn = () => {
    const until = performance.now() + 2;
    while (performance.now() < until) { /* the device plays */ }
    rig.stream.servePcm(POLL.IN);
    rig.takeEvents();
  };
  rig.write(0, BUFFER_BYTES);
  rig.trigger(XENSND_OP_TRIGGER_START);
  for (let i = 0; i < 4; i++) {
    turn();
    rig.write(i * 1024, 1024);
  }
  rig.trigger(XENSND_OP_TRIGGER_PAUSE);
  turn();
  rig.trigger(XENSND_OP_TRIGGER_RESUME);
  turn();
  rig.hold("paused");
  turn();
  rig.hold("none");
  turn();
  rig.trigger(XENSND_OP_TRIGGER_STOP);
}

Deno.test("each call of the card fails in turn: each request has one answer, and the next OPEN plays", () => {
  let reached = 0;
  for (const call of CALLS) {
    for (const [name, result] of Object.entries(FAILURES)) {
      for (const [nth, times] of [[0, 1], [1, 2], [3, 1], [0, Infinity]]) {
        const where = `${call}() from call ${nth} on, ${times} times ${name}`;
        try {
          const isReached = withFault(call, nth!, times!, result, () => {
            using rig = new EngineRig();
            live(rig);
          });
          if (isReached) reached++;
          using rig = new EngineRig();
          assert.equal(rig.write(0, 1024), 0);
          assert.equal(rig.trigger(XENSND_OP_TRIGGER_START), 0);
          assert.equal(rig.trigger(XENSND_OP_TRIGGER_STOP), 0);
        } catch (error) {
          throw new Error(`${where}: ${(error as Error).stack}`);
        }
      }
    }
  }
  assert(reached > CALLS.length * Object.keys(FAILURES).length, `only ${reached} faults came to pass`);
});
