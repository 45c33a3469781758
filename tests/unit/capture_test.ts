// SPDX-License-Identifier: MIT
/**
 * Tests capture from a device to a guest's buffer, on a clock that the test sets. The device records 1, 2, 3, ..., so each
 * sample that the guest reads tells its position.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Memory } from "../../ffi/libc/memory.ts";
import { Capture } from "../../lib/engine/samples/capture.ts";
import { GuestBuffer } from "../../lib/engine/samples/guest_buffer.ts";
import { PositionFeed } from "../../lib/engine/samples/position_feed.ts";
import { createStatusTable, StatusRow } from "../../lib/bridge/stream_status.ts";
import { XEN_EAGAIN, XEN_EINVAL } from "../../lib/sndif/mod.ts";
import { DummyCard, FRAME_BYTES, frames } from "./dummy_card.ts";

const HEARD = 20_000;
const EPIPE = 32;
const ENOSYS = 38;

interface Options {
  readonly bufferFrames: number;
  readonly cardFrames?: number;
  readonly canPause?: boolean;
}

/** A guest's stream and its device. The test drives both as the engine does. */
class Stream implements Disposable {
  readonly bufferFrames: number;
  readonly card: DummyCard;
  readonly transfer: Capture;
  readonly feed = new PositionFeed();
  readonly status = new StatusRow(createStatusTable(1), 0);
  readonly memory: Uint32Array<ArrayBuffer>;
  /** All samples that the guest has read. */
  readonly read: number[] = [];
  /** The guest's appl_ptr. */
  applPtr = 0;

  constructor({ bufferFrames, cardFrames = bufferFrames, canPause = true }: Options) {
    this.bufferFrames = bufferFrames;
    this.card = new DummyCard("capture", { bufferFrames: cardFrames, heard: frames(1, HEARD) });
    if (!canPause) this.card.pcm.pause = () => -ENOSYS;
    this.memory = new Uint32Array(bufferFrames);
    const buffer = new GuestBuffer(Memory.of(this.memory.buffer), this.card.pcm.staging);
    this.transfer = new Capture(this.card.pcm, buffer, this.feed, this.status);
  }

  /** Frames that the guest knows to be available. */
  get available(): number {
    return this.feed.toldFrames - this.applPtr;
  }

  /** The guest reads `count` frames: in one READ, or in two around the end of its buffer. */
  take(count: number): void {
    for (let left = count; left > 0;) {
      const offset = this.applPtr % this.bufferFrames;
      const part = Math.min(left, this.bufferFrames - offset);
      assert.equal(this.transfer.request(offset * FRAME_BYTES, part * FRAME_BYTES), 0);
      this.read.push(...this.memory.subarray(offset, offset + part));
      this.applPtr += part;
      left -= part;
    }
  }

  /** Time passes, then the engine wakes up and publishes the position. */
  run(count: number): void {
    this.card.advance(count);
    this.card.pcm.acknowledge();
    this.transfer.pump();
    this.feed.follow(this.transfer.reportable());
  }

  [Symbol.dispose](): void {
    this.card[Symbol.dispose]();
  }
}

const bufferFrames = fc.constantFrom(2, 3, 16, 25, 64, 120);
const share = fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true }));
const of = (share: number, possible: number) => Math.round(share * Math.max(0, possible));
const turns = fc.array(fc.tuple(share, share), { minLength: 1, maxLength: 150, size: "max" });

Deno.test("Capture gives the guest every sample once and in order, in READs of any size", () => {
  fc.assert(
    fc.property(bufferFrames, fc.integer({ min: 1, max: 200 }), turns, (bufferFrames, cardFrames, turns) => {
      using stream = new Stream({ bufferFrames, cardFrames });
      assert.equal(stream.transfer.start(), 0);
      for (const [run, read] of turns) {
        // Neither buffer overflows.
        stream.run(of(run, Math.min(bufferFrames - stream.available, cardFrames)));
        assert.equal(stream.feed.toldFrames, stream.transfer.position());
        stream.take(of(read, stream.available));
      }
      stream.take(stream.available);
      assert.deepEqual(stream.read, Array.from(frames(1, stream.transfer.position())));
      assert.deepEqual([stream.status.get("xruns"), stream.status.get("lateFrames")], [0, 0]);
    }),
  );
});

Deno.test("Capture answers a READ of more than there is with -EAGAIN, and keeps what there is", () => {
  using stream = new Stream({ bufferFrames: 64 });
  assert.equal(stream.transfer.request(0, 4), -XEN_EAGAIN);
  stream.transfer.start();
  stream.run(10);
  assert.equal(stream.transfer.request(0, 11 * FRAME_BYTES), -XEN_EAGAIN);
  assert.deepEqual(stream.memory, new Uint32Array(64), "nothing was written");
  stream.take(10);
  assert.deepEqual(stream.read, Array.from(frames(1, 10)));
});

Deno.test("Capture reads what the card has heard since it was last woken, too", () => {
  using stream = new Stream({ bufferFrames: 64 });
  stream.transfer.start();
  stream.run(3);
  stream.card.advance(5);
  stream.take(8);
  assert.deepEqual(stream.read, Array.from(frames(1, 8)));
});

Deno.test("Capture loses the oldest samples of a guest that is late, and counts them", () => {
  using stream = new Stream({ bufferFrames: 64, cardFrames: 1000 });
  stream.transfer.start();
  for (let frames = 0; frames < 40; frames += 10) stream.run(10);
  stream.take(10);
  for (let frames = 0; frames < 100; frames += 10) stream.run(10);
  assert.deepEqual([stream.status.get("xruns"), stream.status.get("lateFrames")], [1, 66]);
  assert.equal(stream.status.get("hostXruns"), 0);
  assert.equal(stream.transfer.guestFrames, 76);
  stream.take(64);
  assert.deepEqual(stream.read, [...frames(1, 10), ...frames(77, 64)]);
});

Deno.test("Capture counts the overrun of a guest that this host has told too late as the host's", () => {
  using stream = new Stream({ bufferFrames: 64, cardFrames: 1000 });
  const { status } = stream;
  const xruns = () => [status.get("xruns"), status.get("hostXruns")];
  stream.transfer.start();
  for (let frames = 0; frames < 40; frames += 10) stream.run(10);
  stream.take(40);
  // The engine has no processor for longer than the guest's buffer lasts.
  stream.run(100);
  assert.deepEqual([...xruns(), status.get("lateFrames")], [1, 1, 36]);
  stream.take(10);
  stream.run(20);
  assert.deepEqual(xruns(), [2, 2], "the guest has yet to catch up");
  stream.take(64);
  for (let frames = 0; frames < 200; frames += 10) stream.run(10);
  assert.deepEqual(xruns(), [3, 2], "a buffer later it is the guest's");
});

Deno.test("Capture counts an overrun once, when it happens, however long the guest leaves it", () => {
  for (const end of ["READ", "STOP"]) {
    using stream = new Stream({ bufferFrames: 64 });
    const { status, transfer } = stream;
    transfer.start();
    for (let frames = 0; frames < 300; frames += 10) stream.run(10);
    assert.deepEqual([status.get("xruns"), status.get("hostXruns"), status.get("xrunIsOn")], [1, 0, 1]);
    if (end === "STOP") transfer.restart();
    else stream.take(1);
    assert.deepEqual([status.get("xruns"), status.get("xrunIsOn")], [1, 0], end);
    assert.deepEqual([status.get("lateFrames"), status.get("xrunSeconds")], [236, 0.236], end);
    transfer.stopped();
    assert.equal(status.get("xruns"), 1, end);
    // After the READ or the START a second overrun counts.
    transfer.start();
    for (let frames = 0; frames < 300; frames += 10) stream.run(10);
    assert.equal(status.get("xruns"), 2, end);
  }
});

Deno.test("Capture counts the overrun of a guest that stops with its buffer just full, and of no other", () => {
  for (const [frames, xruns] of [[63, 0], [64, 1]]) {
    using stream = new Stream({ bufferFrames: 64 });
    stream.transfer.start();
    stream.run(frames!);
    stream.transfer.restart();
    assert.deepEqual([stream.status.get("xruns"), stream.status.get("lateFrames")], [xruns, 0]);
  }
});

Deno.test("Capture puts silence where the card has overwritten what it heard, and that is the host's xrun", () => {
  using stream = new Stream({ bufferFrames: 1000, cardFrames: 64 });
  stream.transfer.start();
  stream.run(40);
  stream.card.advance(200);
  stream.run(0);
  const { status } = stream;
  assert.deepEqual([status.get("xruns"), status.get("hostXruns"), status.get("lateFrames")], [1, 1, 0]);
  assert.deepEqual([status.get("silenceFrames"), status.get("hostSilenceFrames")], [136, 136]);
  stream.take(240);
  assert.deepEqual(stream.read, [...frames(1, 40), ...new Array(136).fill(0), ...frames(41, 64)]);
});

Deno.test("Capture counts no frame twice that the card has overwritten and the guest had no room for", () => {
  using stream = new Stream({ bufferFrames: 100, cardFrames: 64 });
  stream.transfer.start();
  stream.run(40);
  stream.card.advance(500);
  stream.run(0);
  // The guest gets the last 100 of 540 frames. 36 of them are silence.
  assert.deepEqual([stream.status.get("xruns"), stream.status.get("lateFrames")], [1, 440]);
  assert.equal(stream.status.get("silenceFrames"), 500 - 64);
  stream.take(100);
  assert.deepEqual(stream.read, [...new Array(36).fill(0), ...frames(41, 64)]);
});

Deno.test("Capture puts silence where a device that stops by itself had samples, not what was recorded there before", () => {
  using stream = new Stream({ bufferFrames: 64 });
  stream.transfer.start();
  stream.run(64);
  stream.take(64);
  const { pcm } = stream.card;
  const { read } = pcm;
  pcm.read = () => 0;
  stream.run(20);
  pcm.read = read;
  assert.equal(stream.transfer.recover(-EPIPE), 0);
  stream.run(0);
  stream.take(20);
  assert.deepEqual(stream.read, [...frames(1, 64), ...new Array(20).fill(0)]);
  const { status } = stream;
  assert.deepEqual([status.get("xruns"), status.get("hostXruns"), status.get("xrunSeconds")], [1, 1, 0.02]);
});

Deno.test("Capture.restart() begins at a multiple of the buffer, with what is heard from then on", () => {
  const segments = fc.array(turns, { minLength: 1, maxLength: 6 });
  fc.assert(fc.property(bufferFrames, segments, (bufferFrames, segments) => {
    using stream = new Stream({ bufferFrames });
    let heard = 0;
    const expected: number[] = [];
    for (const turns of segments) {
      const base = stream.applPtr;
      stream.transfer.start();
      for (const [run, read] of turns.slice(0, 30)) {
        stream.run(of(run, bufferFrames - stream.available));
        stream.take(of(read, stream.available));
      }
      expected.push(...frames(heard + 1, stream.applPtr - base));
      heard += stream.transfer.position() - base;
      const { toldFrames } = stream.feed;
      const at = stream.transfer.restart();
      assert.equal(at % bufferFrames, 0);
      assert(at >= toldFrames && at < toldFrames + bufferFrames);
      stream.feed.tell(at);
      stream.applPtr = at;
      assert.equal(stream.transfer.request(0, FRAME_BYTES), -XEN_EAGAIN, "what was heard before is gone");
    }
    assert.deepEqual(stream.read, expected);
  }));
});

for (const canPause of [true, false]) {
  Deno.test(`Capture.hold() and unhold() lose and repeat nothing on a card that ${canPause ? "can" : "cannot"} pause`, () => {
    const turns = fc.array(fc.tuple(share, share, fc.boolean()), { maxLength: 100, size: "max" });
    fc.assert(fc.property(bufferFrames, turns, (bufferFrames, turns) => {
      using stream = new Stream({ bufferFrames, canPause });
      stream.transfer.start();
      for (const [run, read, hold] of turns) {
        stream.run(of(run, bufferFrames - stream.available));
        if (hold) {
          stream.transfer.hold(false);
          const position = stream.transfer.position();
          stream.run(50);
          assert.equal(stream.transfer.position(), position, "the pointer stands");
          stream.take(of(read, stream.available));
          assert.equal(stream.transfer.unhold(), 0);
        }
        stream.take(of(read, stream.available));
      }
      stream.take(stream.available);
      assert.deepEqual(stream.read, Array.from(frames(1, stream.read.length)));
      assert.equal(stream.read.length, stream.transfer.position());
    }));
  });
}

Deno.test("Capture survives any READs", () => {
  const word = fc.oneof(fc.nat(2000), fc.nat(500).map((n) => n * FRAME_BYTES), fc.nat({ max: 0xffffffff }));
  const steps = fc.array(fc.tuple(word, word, fc.nat(300)), { maxLength: 100, size: "max" });
  fc.assert(fc.property(bufferFrames, steps, (bufferFrames, steps) => {
    using stream = new Stream({ bufferFrames });
    stream.transfer.start();
    for (const [offset, length, run] of steps) {
      const before = stream.transfer.guestFrames;
      const status = stream.transfer.request(offset, length);
      assert([0, -XEN_EINVAL, -XEN_EAGAIN].includes(status));
      if (status !== 0) assert(stream.transfer.guestFrames <= Math.max(before, stream.transfer.deviceFrames));
      assert(stream.transfer.guestFrames <= stream.transfer.deviceFrames);
      stream.run(run);
    }
  }));
});

Deno.test("Capture takes no more in a turn than there was at its beginning, of a card that never runs out", () => {
  using stream = new Stream({ bufferFrames: 64 });
  let reads = 0;
  stream.card.pcm.avail = () => 100;
  stream.card.pcm.read = (frames) => {
    assert(++reads < 1000, "it does not come to an end");
    return Math.min(frames, 30);
  };
  stream.transfer.start();
  stream.run(1);
  assert.equal(stream.transfer.deviceFrames, 200, "once at the start, once for the turn");
});
