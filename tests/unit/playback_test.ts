// SPDX-License-Identifier: MIT
/**
 * Playback from a guest's buffer to a device whose clock the test advances. The guest's nth frame holds the number n,
 * counted from 1, so the device's output shows which frame was played when.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Memory } from "../../ffi/libc/memory.ts";
import { GuestBuffer } from "../../lib/engine/samples/guest_buffer.ts";
import { Playback } from "../../lib/engine/samples/playback.ts";
import { PositionFeed } from "../../lib/engine/samples/position_feed.ts";
import { createStatusTable, StatusRow } from "../../lib/bridge/stream_status.ts";
import { XEN_EINVAL } from "../../lib/sndif/mod.ts";
import { DummyCard, FRAME_BYTES, frames } from "./dummy_card.ts";

const EPIPE = 32;
const ENOSYS = 38;
const ESTRPIPE = 86;
/** Five weeks at 192 kHz, times 11: far beyond 2^32 frames, and a multiple of every buffer size here. */
const WEEKS = 5 * 7 * 24 * 3600 * 192_000 * 11;

interface Options {
  readonly bufferFrames: number;
  /** Size of the device's buffer, if other than the guest's. */
  readonly cardFrames?: number;
  readonly canPause?: boolean;
  /** Initial position, as of a stream that has played for long. */
  readonly at?: number;
}

/** A guest's stream and its device, driven as the engine drives them. */
class Stream implements Disposable {
  readonly bufferFrames: number;
  card: DummyCard;
  readonly transfer: Playback;
  readonly feed = new PositionFeed();
  readonly status = new StatusRow(createStatusTable(1), 0);
  readonly #memory: Uint32Array<ArrayBuffer>;
  /** The guest's appl_ptr: the absolute number of the next frame to write. */
  applPtr: number;
  /** The guest's hw_ptr. Lags behind while events are pending. */
  hwPtr: number;
  /** Content of the next frame. */
  next = 1;

  constructor({ bufferFrames, cardFrames = bufferFrames, canPause = true, at = 0 }: Options) {
    this.bufferFrames = bufferFrames;
    this.card = new DummyCard("playback", { bufferFrames: cardFrames });
    if (!canPause) this.card.pcm.pause = () => -ENOSYS;
    this.#memory = new Uint32Array(bufferFrames);
    const buffer = new GuestBuffer(Memory.of(this.#memory.buffer), this.card.pcm.staging);
    this.transfer = new Playback(this.card.pcm, buffer, this.feed, this.status);
    this.transfer.rebase(at);
    this.feed.tell(at);
    this.transfer.guestFrames = this.applPtr = this.hwPtr = at;
  }

  /** Free frames as the guest sees them. A guest that knows of an underrun stops instead of writing. */
  get room(): number {
    return this.bufferFrames - (this.applPtr - this.hwPtr);
  }

  /** The guest writes `count` frames, at most its free room: one WRITE, or two across the end of the buffer. */
  write(count: number): void {
    for (let left = count; left > 0;) {
      const offset = this.applPtr % this.bufferFrames;
      const part = Math.min(left, this.bufferFrames - offset);
      this.#memory.set(frames(this.next, part), offset);
      assert.equal(this.transfer.request(offset * FRAME_BYTES, part * FRAME_BYTES), 0);
      this.applPtr += part;
      this.next += part;
      left -= part;
      this.transfer.pump();
    }
  }

  /** The clock advances by `count` frames, then the engine wakes. */
  run(count: number): void {
    this.card.advance(count);
    this.card.pcm.acknowledge();
    this.transfer.pump();
  }

  /** Another device takes the place of a lost one. Returns the frames that the lost device played. */
  replaceCard(): number[] {
    const former = this.card;
    const { params: { bufferFrames }, staging } = former.pcm;
    this.card = new DummyCard("playback", { bufferFrames, staging });
    assert.equal(this.transfer.replaceDevice(this.card.pcm, true), 0);
    return former.retire();
  }

  /** The engine publishes the position. */
  publish(): void {
    this.feed.follow(this.transfer.reportable());
  }

  /** The guest takes all pending events. */
  takeEvents(): void {
    this.hwPtr = this.feed.toldFrames;
  }

  [Symbol.dispose](): void {
    this.card[Symbol.dispose]();
  }
}

const bufferFrames = fc.constantFrom(2, 3, 16, 25, 64, 400);
/** A fraction of the possible maximum; see `of`. */
const share = fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true }));
const of = (share: number, possible: number) => Math.round(share * Math.max(0, possible));

interface Turn {
  readonly write: number;
  readonly run: number;
  readonly publish: boolean;
  readonly takeEvents: boolean;
}
const turn: fc.Arbitrary<Turn> = fc.record({
  write: share,
  run: share,
  publish: fc.boolean(),
  takeEvents: fc.boolean(),
});
const turns = fc.array(turn, { minLength: 1, maxLength: 150, size: "max" });

/** Plays `turns` without an underrun. */
function keepUp(stream: Stream, turns: readonly Turn[]): void {
  for (const { write, run, publish, takeEvents } of turns) {
    stream.write(of(write, stream.room));
    stream.run(of(run, stream.applPtr - stream.transfer.position()));
    if (publish) stream.publish();
    if (takeEvents) stream.takeEvents();
  }
}

/** Runs until the device has played every frame written. */
function drain(stream: Stream): void {
  const { transfer } = stream;
  while (transfer.position() < stream.applPtr) {
    stream.run(Math.min(stream.applPtr - transfer.position(), stream.card.pcm.params.bufferFrames));
  }
}

for (const at of [0, WEEKS]) {
  Deno.test(`Playback gives the card every sample once and in order, ${at ? "after weeks" : "from the start"}`, () => {
    const cardFrames = fc.integer({ min: 1, max: 500 });
    fc.assert(
      fc.property(bufferFrames, cardFrames, turns, share, (bufferFrames, cardFrames, turns, prefill) => {
        using stream = new Stream({ bufferFrames, cardFrames, at });
        stream.write(of(prefill, bufferFrames));
        assert.equal(stream.transfer.start(), 0);
        // A device with a smaller buffer than the guest's needs a refill before its buffer is empty.
        for (const turn of turns) {
          stream.write(of(turn.write, stream.room));
          const queued = stream.transfer.deviceFrames - stream.transfer.position();
          stream.run(of(turn.run, queued));
          if (turn.publish) stream.publish();
          if (turn.takeEvents) stream.takeEvents();
        }
        drain(stream);
        assert.equal(stream.transfer.position(), stream.applPtr);
        assert.deepEqual(stream.card.played(), Array.from(frames(1, stream.next - 1)));
        assert.deepEqual([stream.status.get("xruns"), stream.status.get("lateFrames")], [0, 0]);
      }),
    );
  });
}

Deno.test("Playback.replaceCard() goes on with the very next sample", () => {
  const cardFrames = fc.integer({ min: 1, max: 500 });
  fc.assert(fc.property(bufferFrames, cardFrames, turns, turns, (bufferFrames, cardFrames, before, after) => {
    using stream = new Stream({ bufferFrames, cardFrames });
    stream.transfer.start();
    const play = (turns: readonly Turn[]) => {
      for (const { write, run, publish, takeEvents } of turns) {
        stream.write(of(write, stream.room));
        stream.run(of(run, stream.transfer.deviceFrames - stream.transfer.position()));
        if (publish) stream.publish();
        if (takeEvents) stream.takeEvents();
      }
    };
    play(before);
    const played = stream.replaceCard();
    play(after);
    drain(stream);
    assert.deepEqual([...played, ...stream.card.played()], Array.from(frames(1, stream.next - 1)));
    assert.equal(stream.status.get("lateFrames"), 0);
  }));
});

Deno.test("Playback plays a frame that comes late never at a wrong time: silence until then, or not at all", () => {
  const turns = fc.array(fc.tuple(turn, fc.integer({ min: 0, max: 1000 })), { maxLength: 150, size: "max" });
  fc.assert(fc.property(bufferFrames, turns, (bufferFrames, turns) => {
    using stream = new Stream({ bufferFrames });
    stream.transfer.start();
    for (const [{ write, publish, takeEvents }, run] of turns) {
      // The guest's application is late: it writes without reading its pointer first.
      stream.write(of(write, Math.min(stream.room, bufferFrames)));
      stream.run(run % (bufferFrames * 2));
      if (publish) stream.publish();
      if (takeEvents) stream.takeEvents();
    }
    drain(stream);
    const played = stream.card.played();
    played.forEach((number, frame) =>
      assert(number === 0 || number === frame + 1, `${number} at frame ${frame}`)
    );
    const heard = played.filter((number) => number !== 0).length;
    assert.equal(heard + stream.status.get("lateFrames"), stream.next - 1, "late frames are counted");
  }));
});

Deno.test("Playback looks where the device is before it gives samples that a late interrupt may have overtaken", () => {
  using stream = new Stream({ bufferFrames: 100 });
  // A device period is 8 frames, and 4 ms are 4: three frames more than a period are left as the device was last looked at.
  stream.write(12);
  stream.transfer.start();
  stream.run(1);
  stream.card.advance(20);
  stream.write(20);
  assert.equal(stream.status.get("lateFrames"), 9);
  assert.equal(stream.status.get("xruns"), 1);
});

for (
  const { who, steps, host } of [
    { who: "a guest that is late", steps: [20, 20, 20, 20, 20, 20], host: 0 },
    { who: "a host that is late", steps: [10, 80, 20, 10], host: 1 },
  ]
) {
  Deno.test(`Playback counts an xrun as that of ${who}`, () => {
    using stream = new Stream({ bufferFrames: 100 });
    stream.write(100);
    stream.transfer.start();
    for (const step of steps) {
      stream.run(step);
      stream.publish();
    }
    stream.takeEvents();
    stream.write(50);
    stream.run(1);
    assert.deepEqual([stream.status.get("xruns"), stream.status.get("hostXruns")], [1, host]);
  });
}

Deno.test("Playback counts an underrun once, while the card is dry, whatever ends it", () => {
  for (const end of ["WRITE", "STOP"]) {
    using stream = new Stream({ bufferFrames: 100 });
    const { status, transfer } = stream;
    stream.write(100);
    transfer.start();
    // The engine wakes every 20 frames, until 700 frames are silent.
    for (let step = 0; step < 40; step++) {
      stream.run(20);
      stream.publish();
    }
    assert.deepEqual([status.get("xruns"), status.get("hostXruns"), status.get("xrunIsOn")], [1, 0, 1]);
    stream.takeEvents();
    if (end === "STOP") transfer.restart();
    else {
      // As snd_pcm_forward() skips the missed frames.
      stream.applPtr = transfer.position() + 10;
      stream.write(50);
    }
    assert.deepEqual([status.get("xruns"), status.get("xrunIsOn")], [1, 0], end);
    assert.equal(status.get("xrunSeconds"), 0.7, end);
    stream.run(1);
    transfer.stopped();
    assert.equal(status.get("xruns"), 1, end);
    assert.deepEqual([status.get("silenceFrames"), status.get("hostSilenceFrames")], [700, 0], end);
    assert.equal(status.get("lateFrames"), 0, "no frame was written for that time");
  }
});

Deno.test("Playback counts the host's xrun though the guest's STOP comes first", () => {
  using stream = new Stream({ bufferFrames: 100, cardFrames: 30 });
  stream.write(100);
  stream.transfer.start();
  stream.card.advance(60);
  stream.transfer.position();
  stream.transfer.restart();
  const { status } = stream;
  assert.deepEqual([status.get("xruns"), status.get("hostXruns"), status.get("lateFrames")], [1, 1, 30]);
  assert.equal(status.get("xrunSeconds"), 0.03);
});

Deno.test("Playback.restart() leaves the error behind that the device had before the guest's STOP", () => {
  using stream = new Stream({ bufferFrames: 100 });
  const { pcm } = stream.card;
  const { position } = pcm;
  stream.transfer.start();
  // A device that has stopped dry says so until it is prepared.
  pcm.position = () => -EPIPE;
  stream.transfer.position();
  assert.equal(stream.transfer.error, -EPIPE);
  pcm.position = position;
  stream.transfer.restart();
  assert.equal(stream.transfer.error, 0);
});

Deno.test("Playback counts what a stall of any length has cost as the host's", () => {
  using stream = new Stream({ bufferFrames: 100 });
  stream.write(100);
  stream.transfer.start();
  stream.run(10);
  stream.run(900);
  stream.publish();
  stream.takeEvents();
  stream.applPtr = stream.transfer.position();
  stream.write(50);
  assert.deepEqual([stream.status.get("xruns"), stream.status.get("hostXruns")], [1, 1]);
});

Deno.test("Playback calls the gap behind a suspension the host's, though the guest stops and starts for it", () => {
  using stream = new Stream({ bufferFrames: 100 });
  const { status, transfer } = stream;
  stream.write(100);
  transfer.start();
  stream.run(10);
  assert.equal(transfer.recover(-ESTRPIPE), 0);
  stream.publish();
  stream.takeEvents();
  assert.equal(stream.hwPtr, 100, "the guest's buffer is empty");
  stream.run(2);
  transfer.restart();
  transfer.started();
  assert.deepEqual([status.get("xruns"), status.get("hostXruns"), status.get("lateFrames")], [2, 2, 90]);
});

Deno.test("Playback counts no xrun while a dry card is held", () => {
  for (const canPause of [true, false]) {
    using stream = new Stream({ bufferFrames: 100, canPause });
    stream.write(100);
    stream.transfer.start();
    for (let step = 0; step < 11; step++) {
      stream.run(10);
      stream.publish();
    }
    stream.transfer.hold(false);
    for (let step = 0; step < 100; step++) stream.run(20);
    stream.transfer.unhold();
    stream.run(10);
    assert.equal(stream.status.get("xruns"), 0);
    stream.transfer.restart();
    assert.equal(stream.status.get("xruns"), 0, "a drain");
  }
});

Deno.test("Playback takes a WRITE that was under way while the position passed it for what it is", () => {
  using stream = new Stream({ bufferFrames: 100 });
  stream.write(100);
  stream.transfer.start();
  stream.run(50);
  stream.publish();
  stream.takeEvents();
  // The device underruns. The guest writes before it takes the event that says so.
  stream.run(60);
  stream.publish();
  stream.write(50);
  assert.equal(stream.transfer.guestFrames, 150);
  stream.takeEvents();
  stream.write(50);
  drain(stream);
  const expected = Array.from(frames(1, 200));
  expected.fill(0, 100, 110);
  assert.deepEqual(stream.card.played(), expected);
});

Deno.test("Playback takes the first WRITE after a STOP whose position the guest is not told, for its event page is full", () => {
  using stream = new Stream({ bufferFrames: 100 });
  stream.write(100);
  stream.transfer.start();
  stream.run(30);
  stream.publish();
  const at = stream.transfer.restart();
  assert.deepEqual([stream.feed.toldFrames, at], [30, 100]);
  stream.applPtr = stream.hwPtr = at;
  stream.write(100);
  assert.equal(stream.transfer.guestFrames, 200);
  stream.transfer.start();
  drain(stream);
  assert.deepEqual(stream.card.played().slice(-100), Array.from(frames(101, 100)));
});

Deno.test("Playback takes a jump back for one though the position passed the place while the WRITE was under way", () => {
  fc.assert(
    fc.property(bufferFrames, share, share, share, share, (bufferFrames, ahead, passed, back, rewritten) => {
      using stream = new Stream({ bufferFrames, cardFrames: Math.ceil(bufferFrames / 4) });
      stream.transfer.start();
      const turn = (frames: number) => {
        stream.run(Math.min(frames, stream.transfer.deviceFrames - stream.transfer.position()));
        stream.publish();
      };
      stream.write(bufferFrames);
      for (let left = of(ahead, bufferFrames / 2); left > 0; left--) turn(1);
      stream.takeEvents();
      const written = stream.applPtr;
      // The guest jumps back by no more than what it takes for queued, and the position goes on.
      stream.applPtr = written - of(back, written - stream.hwPtr);
      for (let left = of(passed, bufferFrames / 2 - 1); left > 0; left--) turn(1);
      // It writes more than what is late.
      const late = Math.max(0, stream.feed.toldFrames - stream.applPtr);
      const begin = stream.applPtr;
      stream.write(Math.max(of(rewritten, stream.room), Math.min(stream.room, late + 1)));
      assert.equal(stream.transfer.guestFrames, Math.max(written, stream.applPtr));
      // Each place has what was written there first, or what was written there last.
      drain(stream);
      stream.card.played().forEach((frame, at) => {
        const expected = at < begin ? [at + 1] : [at + 1, at + 1 + written - begin];
        if (at < written) assert(expected.includes(frame), `frame ${frame} at ${at}`);
      });
    }),
  );
});

Deno.test("Playback takes a jump back for one though the position has passed all of the WRITE, and plays on what is queued", () => {
  using stream = new Stream({ bufferFrames: 100, cardFrames: 10 });
  stream.write(40);
  stream.transfer.start();
  stream.run(10);
  stream.publish();
  stream.takeEvents();
  // The guest goes back to frame 10, and the device passes frame 20 meanwhile.
  const written = stream.applPtr;
  stream.applPtr = stream.hwPtr;
  stream.run(10);
  stream.publish();
  stream.write(5);
  assert.equal(stream.transfer.guestFrames, written);
  stream.write(60);
  assert.equal(stream.transfer.guestFrames, 75);
  drain(stream);
  // What was queued in the device stays: frames 21 to 30. The guest has written frames 46 to 105 from place 15 on.
  const played = stream.card.played();
  assert.deepEqual(played.slice(0, 20), Array.from(frames(1, 20)));
  assert.deepEqual(played.slice(30, 75), Array.from(frames(61, 45)));
});

Deno.test("Playback takes a WRITE that goes on behind a jump back for that, though the position has leapt over both", () => {
  using stream = new Stream({ bufferFrames: 100 });
  stream.write(100);
  stream.transfer.start();
  stream.run(40);
  stream.publish();
  stream.takeEvents();
  stream.write(40);
  // The guest goes back by 40 frames, and writes them anew, in two requests. The engine is late for the first by more than a buffer.
  stream.applPtr -= 40;
  stream.card.advance(250);
  stream.write(20);
  stream.run(0);
  stream.publish();
  stream.write(20);
  assert.equal(stream.transfer.guestFrames, 140);
  stream.takeEvents();
  drain(stream);
  assert.deepEqual(stream.card.played().slice(0, 140), Array.from(frames(1, 140)));
  assert(stream.card.played().slice(140).every((frame) => frame === 0), "a frame that was played already");
});

Deno.test("Playback does not play again what a device has played that stood aside, and takes its place again", () => {
  using stream = new Stream({ bufferFrames: 100 });
  const { transfer, card: { pcm } } = stream;
  stream.write(100);
  transfer.start();
  stream.run(20);
  // A stand-in has the device's place at frame 20. The device moves before the stand-in does much, and plays what it has queued.
  const standIn = new DummyCard("playback", { bufferFrames: 100, staging: pcm.staging, now: 20 });
  assert.equal(transfer.replaceDevice(standIn.pcm, true, { passed: "standInFrames", keeps: true }), 0);
  standIn.advance(3);
  stream.card.advance(10);
  const least = pcm.position();
  assert.equal(least, 30);
  pcm.drop();
  assert.equal(transfer.replaceDevice(pcm, true, { least }), 0);
  standIn.retire();
  assert.equal(transfer.position(), 30);
  drain(stream);
  assert.deepEqual(stream.card.played().slice(0, 100), Array.from(frames(1, 100)));
  const { heardFrames, standInFrames, movedFrames, silenceFrames } = stream.status.counts();
  assert.deepEqual([standInFrames, heardFrames], [10, 90]);
  assert.equal(heardFrames + standInFrames + silenceFrames, movedFrames);
});

Deno.test("Playback lets a device queue silence only behind all samples that there are, and that it has room for", () => {
  fc.assert(fc.property(bufferFrames, share, turns, (bufferFrames, cardShare, turns) => {
    const cardFrames = Math.max(1, of(cardShare, bufferFrames));
    using stream = new Stream({ bufferFrames, cardFrames });
    let calls = 0;
    stream.card.pcm.keepGoing = () => {
      calls++;
      const { deviceFrames, guestFrames } = stream.transfer;
      assert(deviceFrames === guestFrames || stream.card.pcm.avail() === 0);
    };
    stream.transfer.start();
    keepUp(stream, turns);
    assert(calls > 0);
  }));
});

Deno.test("Playback lets a device queue no silence between samples that it moves in several turns, at its start or later", () => {
  using stream = new Stream({ bufferFrames: 200_000 });
  const { transfer } = stream;
  const calls: number[] = [];
  stream.card.pcm.keepGoing = () => calls.push(transfer.deviceFrames);
  stream.write(200_000);
  assert.equal(transfer.start(), 0);
  assert(transfer.hasMore, "two turns were enough");
  assert.deepEqual(calls, []);
  while (transfer.hasMore) transfer.pump();
  assert.deepEqual(calls, [200_000]);
});

Deno.test("Playback.restart() begins at a multiple of the buffer, and what was queued is not heard", () => {
  const segments = fc.array(turns, { minLength: 1, maxLength: 6 });
  fc.assert(fc.property(bufferFrames, segments, (bufferFrames, segments) => {
    using stream = new Stream({ bufferFrames });
    const expected: number[] = [];
    for (const turns of segments) {
      const first = stream.next, base = stream.applPtr;
      stream.transfer.start();
      keepUp(stream, turns);
      const heard = stream.transfer.position() - base;
      expected.push(...frames(first, heard));
      stream.publish();
      const at = stream.transfer.restart();
      assert.equal(at % bufferFrames, 0);
      assert(at >= stream.feed.toldFrames && at < stream.feed.toldFrames + bufferFrames);
      assert.deepEqual([stream.transfer.position(), stream.transfer.guestFrames], [at, at]);
      // The guest learns the position, and starts again at the beginning of its buffer.
      stream.feed.tell(at);
      stream.hwPtr = stream.applPtr = at;
    }
    assert.deepEqual(stream.card.played(), expected);
  }));
});

for (const canPause of [true, false]) {
  Deno.test(`Playback.hold() and unhold() lose and repeat nothing on a card that ${canPause ? "can" : "cannot"} pause`, () => {
    const turns = fc.array(fc.tuple(turn, fc.boolean(), fc.integer({ min: 0, max: 1000 })), {
      maxLength: 100,
      size: "max",
    });
    fc.assert(fc.property(bufferFrames, turns, (bufferFrames, turns) => {
      using stream = new Stream({ bufferFrames, canPause });
      stream.transfer.start();
      for (const [turn, hold, wait] of turns) {
        keepUp(stream, [turn]);
        if (!hold) continue;
        stream.publish();
        stream.transfer.hold(false);
        const position = stream.transfer.position();
        stream.write(of(turn.write, stream.room));
        stream.run(wait);
        assert.equal(stream.transfer.position(), position, "the pointer stands");
        assert.equal(stream.transfer.unhold(), 0);
        assert.equal(stream.transfer.position(), position);
      }
      drain(stream);
      assert.deepEqual(stream.card.played(), Array.from(frames(1, stream.next - 1)));
      assert.equal(stream.status.get("xruns"), 0);
    }));
  });
}

Deno.test("Playback charges what a device takes, and not what it is given again and again", () => {
  using stream = new Stream({ bufferFrames: 100 });
  const { pcm } = stream.card;
  const write = pcm.write.bind(pcm);
  const given: number[] = [];
  pcm.write = (frames) => {
    given.push(frames);
    return write(Math.min(frames, 5));
  };
  stream.write(100);
  assert.equal(stream.transfer.takeMoved(), 100 * FRAME_BYTES);
  assert(given.slice(1).every((frames) => frames <= 10), String(given));
  stream.transfer.start();
  drain(stream);
  assert.deepEqual(stream.card.played(), Array.from(frames(1, 100)));
});

Deno.test("Playback.request() refuses what is outside of the buffer or no whole frames", () => {
  using stream = new Stream({ bufferFrames: 16 });
  const bytes = 16 * FRAME_BYTES;
  for (
    const [offset, length] of [
      [bytes, 4],
      [0, bytes + 4],
      [4, bytes],
      [2, 4],
      [0, 6],
      [0xffffffff, 1],
      [
        0xfffffffc,
        8,
      ],
      [4, 0xfffffffc],
      [0, 0xffffffff],
    ]
  ) assert.equal(stream.transfer.request(offset!, length!), -XEN_EINVAL, `${offset}, ${length}`);
  assert.equal(stream.transfer.guestFrames, 0);
  assert.equal(stream.transfer.request(0, 0), 0);
});

Deno.test("Playback survives any WRITEs: it never takes for written what is beyond a buffer ahead", () => {
  const word = fc.oneof(fc.nat(2000), fc.nat(500).map((n) => n * FRAME_BYTES), fc.nat({ max: 0xffffffff }));
  const steps = fc.array(fc.tuple(word, word, fc.nat(300), fc.boolean()), { maxLength: 100, size: "max" });
  fc.assert(fc.property(bufferFrames, steps, (bufferFrames, steps) => {
    using stream = new Stream({ bufferFrames });
    const { transfer } = stream;
    transfer.start();
    let position = 0;
    for (const [offset, length, run, publish] of steps) {
      const status = transfer.request(offset, length);
      assert(status === 0 || status === -XEN_EINVAL);
      assert(transfer.guestFrames <= Math.max(stream.feed.toldFrames, transfer.position()) + bufferFrames);
      transfer.pump();
      stream.run(run);
      if (publish) stream.publish();
      assert(transfer.position() >= position, "the pointer went back");
      position = transfer.position();
    }
  }));
});

Deno.test("Playback goes on after the guest has been silent for weeks", () => {
  using stream = new Stream({ bufferFrames: 64 });
  stream.card.pcm.write = () => assert.fail("nothing is written while nothing comes");
  stream.transfer.start();
  stream.run(WEEKS / 1000);
  assert.equal(stream.transfer.position(), WEEKS / 1000);
  stream.publish();
  assert.equal(stream.transfer.restart(), WEEKS / 1000);
});
