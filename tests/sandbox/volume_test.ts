// SPDX-License-Identifier: MIT
/** SET_VOLUME, GET_VOLUME, MUTE and UNMUTE from a guest, and their effect on the sound. */
import assert from "node:assert/strict";
import {
  XEN_EINVAL,
  XEN_EIO,
  XENSND_OP_GET_VOLUME as GET_VOLUME,
  XENSND_OP_MUTE as MUTE,
  XENSND_OP_SET_VOLUME as SET_VOLUME,
  XENSND_OP_TRIGGER_START,
  XENSND_OP_UNMUTE as UNMUTE,
  XENSND_OP_WRITE,
} from "../../lib/sndif/mod.ts";
import { servedCard } from "./guest_card.ts";
import { samplesOf } from "./harness.ts";
import { open, type RawStream, withRaw } from "./raw_frontend.ts";

const inServedBox = servedCard();

/** The offset of the requests' numbers: the buffer's last page, which the samples do not reach. */
const AT = 4096;
const HALF = -6021;

/** Puts 32-bit numbers into the shared buffer and sends the request with them. */
function request(stream: RawStream, shared: ArrayBuffer, operation: number, numbers: number[]): number {
  new Int32Array(shared, AT).set(numbers);
  return stream.request(operation, AT, numbers.length * 4);
}

Deno.test("a guest's volume and mute are heard, channel by channel, and told when it asks", () =>
  inServedBox(async (box, _daemon, output) => {
    await withRaw(box, async (_card, playback) => {
      const { buffer: { buffer }, directory } = playback.share(open.bufferSz);
      assert.equal(playback.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
      assert.equal(request(playback, buffer, SET_VOLUME, [HALF, -20_000]), 0);
      assert.equal(request(playback, buffer, MUTE, [0, 1]), 0);
      new Int32Array(buffer, AT).fill(77);
      assert.equal(playback.request(GET_VOLUME, AT, 8), 0);
      assert.deepEqual(Array.from(new Int32Array(buffer, AT, 3)), [HALF, -20_000, 77]);
      new Int16Array(buffer, 0, 2048).fill(1000);
      assert.equal(playback.request(XENSND_OP_WRITE, 0, 4096), 0);
      assert.equal(playback.trigger(XENSND_OP_TRIGGER_START), 0);
      await box.untilStream("domU/0/0/0", ({ positionFrames }) => positionFrames > 1024);
      assert.equal(playback.close(), 0);
    });
    const heard = new Int16Array(samplesOf(output).slice().buffer).subarray(0, 2048);
    assert.equal(heard.length, 2048);
    heard.forEach((sample, i) => assert.equal(sample, i % 2 === 0 ? 500 : 0, `sample ${i}`));
  }));

Deno.test("unmuting in mid-play, by octets, fades in", () =>
  inServedBox(async (box, _daemon, output) => {
    await withRaw(box, async (_card, playback) => {
      const { buffer: { buffer }, directory } = playback.share(open.bufferSz);
      assert.equal(playback.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
      new Int16Array(buffer).fill(1000);
      assert.equal(request(playback, buffer, MUTE, [1, 1]), 0);
      new Int16Array(buffer).fill(1000);
      assert.equal(playback.request(XENSND_OP_WRITE, 0, 4096), 0);
      assert.equal(playback.trigger(XENSND_OP_TRIGGER_START), 0);
      new Uint8Array(buffer, AT).set([1, 1]);
      assert.equal(playback.request(UNMUTE, AT, 2), 0);
      new Int16Array(buffer).fill(1000);
      assert.equal(playback.request(XENSND_OP_WRITE, 4096, 4096), 0);
      await box.untilStream("domU/0/0/0", ({ positionFrames }) => positionFrames > 2048);
      assert.equal(playback.close(), 0);
    });
    const heard = new Int16Array(samplesOf(output).slice().buffer).subarray(0, 4096);
    assert(heard.subarray(0, 2048).every((sample) => sample === 0), "what was written before is muted");
    const steps = heard.subarray(2048).map((sample, i) => sample - heard[2048 + i - 2]!);
    assert(steps.every((step) => step >= 0 && step <= 4), `steps of up to ${Math.max(...steps)}`);
    assert.equal(heard[4095], 1000);
  }));

Deno.test("requests about volume that make no sense are refused and change nothing", () =>
  inServedBox((box) =>
    withRaw(box, (_card, playback) => {
      assert.equal(playback.request(SET_VOLUME, 0, 8), -XEN_EIO, "not open");
      const { buffer: { buffer }, directory } = playback.share(open.bufferSz);
      assert.equal(playback.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
      assert.equal(request(playback, buffer, SET_VOLUME, [HALF, -1000]), 0);
      for (const operation of [SET_VOLUME, GET_VOLUME, MUTE, UNMUTE]) {
        for (
          const [offset, length] of [[0, 0], [0, 4], [0, 12], [8188, 8], [8192, 8], [0xfffffffc, 8], [
            4,
            0xfffffffc,
          ]]
        ) assert.equal(playback.request(operation, offset!, length!), -XEN_EINVAL, `${offset}, ${length}`);
      }
      assert.equal(playback.request(GET_VOLUME, 0, 2), -XEN_EINVAL, "volumes are not octets");
      assert.equal(request(playback, buffer, SET_VOLUME, [0, 12_001]), -XEN_EINVAL, "too loud");
      assert.equal(playback.request(GET_VOLUME, AT, 8), 0);
      assert.deepEqual(Array.from(new Int32Array(buffer, AT, 2)), [HALF, -1000]);
      // OPEN resets the volume to 0 dB.
      assert.equal(playback.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
      assert.equal(playback.request(GET_VOLUME, AT, 8), 0);
      assert.deepEqual(Array.from(new Int32Array(buffer, AT, 2)), [0, 0]);
      assert.equal(playback.close(), 0);
    })
  ));
