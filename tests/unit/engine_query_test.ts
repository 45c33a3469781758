// SPDX-License-Identifier: MIT
/** Tests HW_PARAM_QUERY in the engine: which device's limits the engine borrows to answer, and for how long. */
import assert from "node:assert/strict";
import { POLL } from "../../ffi/libc/libc.ts";
import type { RefinerDescriptor } from "../../lib/pcm/refiner.ts";
import { EngineRig, RATE } from "./engine_rig.ts";

/** A device of one rate. */
function card(rate: number): RefinerDescriptor {
  const rates = { min: rate, max: rate };
  return { kind: "known", formatsLow: 0xffffffff, rates, channels: { min: 1, max: 2 } };
}

const told = (rig: EngineRig) => rig.told.map(({ op }) => op);

Deno.test("a query waits for a loan; those after it are answered at once, until it is forgotten", () => {
  using rig = new EngineRig();
  rig.ask();
  rig.stream.serveRing();
  assert.equal(rig.takeRates(), undefined);
  rig.stream.lend(card(8000));
  assert.deepEqual(rig.takeRates(), { min: 8000, max: 8000 });
  rig.ask();
  rig.stream.serveRing();
  assert.deepEqual(rig.takeRates(), { min: 8000, max: 8000 });
  rig.stream.forget();
  rig.ask();
  rig.stream.serveRing();
  assert.equal(rig.takeRates(), undefined);
  assert.deepEqual(told(rig).slice(-3), ["query", "forgotten", "query"]);
});

Deno.test("a loan is given back once", () => {
  using rig = new EngineRig();
  rig.stream.forget();
  rig.ask();
  rig.stream.serveRing();
  rig.stream.lend(card(8000));
  rig.stream.forget();
  rig.stream.forget();
  assert.deepEqual(told(rig).filter((op) => op === "forgotten"), ["forgotten"]);
});

Deno.test("a loan of a card that was lost meanwhile is not used", () => {
  using rig = new EngineRig();
  rig.ask();
  rig.stream.serveRing();
  rig.stream.servePcm(POLL.ERR);
  rig.stream.lend(card(8000));
  assert.deepEqual(rig.takeRates(), { min: RATE, max: RATE }, "the stand-in answers");
  rig.stream.forget();
  rig.ask();
  rig.stream.serveRing();
  assert.deepEqual(rig.takeRates(), { min: RATE, max: RATE });
});

Deno.test("a ring full of queries is served one a turn", () => {
  using rig = new EngineRig();
  for (let i = 0; i < 4; i++) rig.ask();
  rig.stream.serveRing();
  rig.stream.lend(card(8000));
  let turns = 0;
  for (let more = true; more; turns++) more = rig.stream.serveRing();
  assert.equal(turns, 4, "three queries, and a look at what follows");
});

Deno.test("a guest that wants no events goes round its buffer all the same", async () => {
  const bufferBytes = 4096;
  using rig = new EngineRig({ bufferBytes, periodBytes: 0 });
  assert.equal(rig.write(0, bufferBytes), 0);
  assert.equal(rig.trigger(0), 0);
  for (let round = 0; round < 4; round++) {
    const before = rig.status.get("positionFrames");
    while (rig.status.get("positionFrames") < before + bufferBytes / 4) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      rig.stream.servePcm(POLL.IN);
    }
    const [position, written] = [rig.status.get("positionFrames"), rig.status.get("guestFrames")];
    assert.equal(rig.write(position * 4 % bufferBytes, 4), 0);
    assert(rig.status.get("guestFrames") > written, "the WRITE was ignored");
  }
  assert.deepEqual(rig.takePositions(), []);
});
