// SPDX-License-Identifier: MIT
/** What a stream leaves to the next daemon is what its guest has been told last. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { KEPT_BYTES, KeptStream } from "../../lib/bridge/kept_stream.ts";
import { XENSND_OP_TRIGGER_START } from "../../lib/sndif/mod.ts";
import { BUFFER_BYTES, EngineRig, RATE } from "./engine_rig.ts";

const OWNER = { domain: 1, ringRef: 8, evtRingRef: 9, eventChannel: 3, evtEventChannel: 4 };
const FRAME_BYTES = 4;
const BUFFER_MS = BUFFER_BYTES / FRAME_BYTES / RATE * 1000;

Deno.test("a stream that leaves long after its last turn has told its guest no position that the next daemon does not know", async () => {
  const memory = new Uint8Array(KEPT_BYTES);
  const kept = new KeptStream(memory.buffer);
  kept.begin(OWNER);
  const rig = new EngineRig({ kept: memory });
  assert.equal(rig.write(0, BUFFER_BYTES), 0);
  assert.equal(rig.trigger(XENSND_OP_TRIGGER_START), 0);
  // The position leaps by so many buffers that one turn does not have events enough to tell it.
  await sleep(12 * BUFFER_MS);
  rig.stream.detach(true);
  const told = rig.takePositions().at(-1);
  assert.ok(told !== undefined && told > 0);
  assert.equal(kept.read(OWNER)!.told * FRAME_BYTES, told);
});
