// SPDX-License-Identifier: MIT
/** A stream's state transitions, against the diagram in stream_state.ts. */
import assert from "node:assert/strict";
import {
  afterOperatorTrigger,
  afterTrigger,
  OPERATOR_TRIGGERS,
  STREAM_STATES,
  type StreamState,
} from "../../lib/stream/stream_state.ts";
import {
  XENSND_OP_TRIGGER_PAUSE as PAUSE,
  XENSND_OP_TRIGGER_RESUME as RESUME,
  XENSND_OP_TRIGGER_START as START,
  XENSND_OP_TRIGGER_STOP as STOP,
} from "../../lib/sndif/mod.ts";

Deno.test("afterTrigger() follows the diagram", () => {
  const arrows: [from: StreamState, trigger: number, to: StreamState][] = [
    ["prepared", START, "running"],
    ["running", PAUSE, "paused"],
    ["paused", RESUME, "running"],
    ["running", STOP, "prepared"],
    ["paused", STOP, "prepared"],
    ["prepared", STOP, "prepared"],
  ];
  for (const [from, trigger, to] of arrows) {
    assert.equal(afterTrigger(from, trigger), to, `${from} ${trigger}`);
  }
});

Deno.test("afterTrigger() has no way into or out of a stream that is not open", () => {
  for (const state of ["detached", "closed", "opening"] as const) {
    for (const trigger of [START, PAUSE, STOP, RESUME]) assert.equal(afterTrigger(state, trigger), undefined);
  }
  assert.equal(afterTrigger("prepared", PAUSE), undefined);
  assert.equal(afterTrigger("prepared", RESUME), undefined);
});

Deno.test("afterTrigger() knows nothing of types that sndif.h does not have", () => {
  for (const state of STREAM_STATES) {
    for (let type = 4; type < 256; type++) assert.equal(afterTrigger(state, type), undefined);
  }
});

Deno.test("afterOperatorTrigger() holds at pause and stop, and lets go at resume and start", () => {
  assert.deepEqual(OPERATOR_TRIGGERS.map(afterOperatorTrigger), ["none", "paused", "none", "stopped"]);
});
