// SPDX-License-Identifier: MIT
/** What is kept of an open stream for the next daemon: read as it was written, and never believed if it contradicts itself. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { KEPT_BYTES, KeptStream } from "../../lib/bridge/kept_stream.ts";

const OWNER = { domain: 0xdeadbeef, ringRef: 8, evtRingRef: 9, eventChannel: 3, evtEventChannel: 4 };
const OPEN = {
  pcmRate: 48_000,
  pcmFormat: 2,
  pcmChannels: 2,
  bufferSz: 65_536,
  grefDirectory: 17,
  periodSz: 16_384,
};

function kept(): { buffer: ArrayBuffer; stream: KeptStream } {
  const buffer = new ArrayBuffer(KEPT_BYTES);
  const stream = new KeptStream(buffer);
  stream.begin(OWNER);
  stream.opened(OPEN, 0xffff_fffe);
  return { buffer, stream };
}

/** As another process reads it. */
const read = (buffer: ArrayBuffer, owner = OWNER) => new KeptStream(buffer).read(owner);

Deno.test("an open stream is read as it was written last", () => {
  const { buffer, stream } = kept();
  assert.equal(read(buffer), undefined, "OPEN is under way");
  stream.setState("prepared");
  const positions = { position: 0, guestFrames: 0, told: 0, unwoken: 0, beginning: 0 };
  assert.deepEqual(read(buffer), { open: OPEN, eventBase: 0xffff_fffe, state: "prepared", ...positions });
  stream.setGuestFrames(8192);
  stream.setState("running");
  stream.setPosition(1000);
  stream.setTold(900);
  stream.setUnwoken(400);
  const running = { ...positions, position: 1000, guestFrames: 8192, told: 900, unwoken: 400 };
  assert.deepEqual(read(buffer), { open: OPEN, eventBase: 0xffff_fffe, state: "running", ...running });
  stream.setTold(1100);
  assert.equal(read(buffer)?.position, 1100, "the guest has been told that the device was there");
  // The guest's page has no room for the position of the stop.
  stream.stopped(16_384);
  const stopped = { position: 16_384, guestFrames: 16_384, told: 1100, unwoken: 400, beginning: 16_384 };
  assert.deepEqual(read(buffer), { open: OPEN, eventBase: 0xffff_fffe, state: "prepared", ...stopped });
  stream.setState("closed");
  assert.equal(read(buffer), undefined);
});

Deno.test("a stream of another owner, layout or sum is nobody's", () => {
  const { buffer, stream } = kept();
  stream.setState("running");
  for (const name of Object.keys(OWNER)) {
    assert.equal(read(buffer, { ...OWNER, [name]: 5 }), undefined, name);
  }
  const words = new Float64Array(buffer);
  const used = words.findLastIndex((word) => word !== 0) + 1;
  const original = words.slice();
  // Whatever word of the OPEN or of its owner changes; the state is the third word, and positions may be anything that is sane.
  for (let i = 0; i < used; i++) {
    for (const value of [NaN, -1, 0.5, Infinity, 2 ** 60]) {
      words.set(original);
      words[i] = value;
      assert.equal(read(buffer), undefined, `word ${i} is ${value}`);
    }
  }
});

Deno.test("no content of the file is believed that no daemon has written, and none throws", () => {
  const word = fc.oneof(fc.double(), fc.nat(), fc.constantFrom(0, 1, 2, 3, 4, 5, NaN, -0, Infinity));
  fc.assert(fc.property(fc.array(word, { maxLength: 40 }), (words) => {
    const buffer = new ArrayBuffer(KEPT_BYTES);
    new Float64Array(buffer).set(words);
    assert.equal(read(buffer), undefined);
  }));
});

Deno.test("what is frozen stays, until it is thawed", () => {
  const { buffer, stream } = kept();
  stream.setState("running");
  stream.setPosition(500);
  stream.freeze();
  stream.setPosition(600);
  stream.stopped(700);
  stream.begin({ ...OWNER, ringRef: 1 });
  assert.deepEqual([read(buffer)?.state, read(buffer)?.position], ["running", 500]);
  stream.thaw();
  stream.setPosition(800);
  assert.equal(read(buffer)?.position, 800);
});
