// SPDX-License-Identifier: MIT
/** Tests what the dummy device plays and records, and when, on a clock that the test sets. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { clearErrno, unwrap } from "../../ffi/libc/failed_call.ts";
import { libc, O } from "../../ffi/libc/libc.ts";
import { addressOf } from "../../ffi/libc/pointers.ts";
import { PollSet } from "../../ffi/libc/poll_set.ts";
import { DummyPcm } from "../../lib/pcm/dummy/pcm.ts";
import { formatByName, FORMATS, XEN_EAGAIN, XEN_EIO } from "../../lib/sndif/mod.ts";
import { DummyCard, FRAME_BYTES, frames } from "./dummy_card.ts";

/** Puts `count` frames, numbered from `first` on, into the staging buffer and writes them. */
function write({ pcm }: DummyCard, first: number, count: number): number {
  new Uint32Array(pcm.staging).set(frames(first, count));
  return pcm.write(count);
}

Deno.test("DummyPcm plays each frame when the clock has come to it, and keeps it in its file", () => {
  using card = new DummyCard("playback", { bufferFrames: 100 });
  assert.equal(write(card, 1, 60), 60);
  assert.deepEqual([card.pcm.position(), card.pcm.avail(), card.pcm.next()], [0, 40, 60]);
  card.advance(1000);
  assert.equal(card.pcm.position(), 0, "not started");
  card.pcm.start();
  card.advance(25);
  card.pcm.acknowledge();
  assert.deepEqual([card.pcm.position(), card.pcm.avail(), card.pcm.next()], [25, 65, 60]);
  assert.deepEqual(card.played(), Array.from(frames(1, 25)));
});

Deno.test("DummyPcm takes what it has room for, and none of the rest", () => {
  using card = new DummyCard("playback", { bufferFrames: 100 });
  assert.equal(write(card, 1, 150), 100);
  assert.equal(write(card, 101, 1), 0);
  card.pcm.start();
  card.advance(30);
  assert.equal(write(card, 101, 150), 0, "as of the last interrupt");
  card.pcm.acknowledge();
  assert.equal(write(card, 101, 150), 30);
  card.advance(100);
  card.pcm.acknowledge();
  assert.deepEqual(card.played(), Array.from(frames(1, 130)));
});

Deno.test("DummyPcm never overwrites what it has still to play, whenever the clock moves", () => {
  // The clock moves between any two readings, as a real clock does.
  let looks = 0;
  const fd = unwrap(libc().memfd_create(new Uint8Array([0x78, 0]), 0), "memfd_create");
  try {
    const params = {
      direction: "playback",
      rate: 1000,
      channels: 1,
      format: formatByName("s32_le")!.code,
      frameBytes: 4,
      bufferFrames: 16,
      periodFrames: 4,
    } as const;
    const pcm = new DummyPcm({ kind: "dummy", params, fd }, () => looks += 0.7);
    let next = 1;
    const fill = () => {
      new Uint32Array(pcm.staging).set(frames(next, 16));
      next += pcm.write(16);
    };
    fill();
    pcm.start();
    for (let i = 0; i < 300; i++) {
      fill();
      pcm.acknowledge();
    }
    pcm.release();
    const played = new Uint32Array(Deno.readFileSync(`/proc/self/fd/${fd}`).buffer);
    assert.deepEqual(played, frames(1, played.length));
    assert(played.length > 100);
  } finally {
    libc().close(fd);
  }
});

Deno.test("DummyPcm plays silence when it has run dry, which is in its file if more follows", () => {
  using card = new DummyCard("playback", { bufferFrames: 100 });
  write(card, 1, 10);
  card.pcm.start();
  card.advance(35);
  card.pcm.acknowledge();
  assert.equal(card.pcm.position(), 35, "it goes on");
  assert.deepEqual(card.played(), Array.from(frames(1, 10)));
  assert.equal(card.pcm.next(), 35);
  write(card, 11, 10);
  card.advance(50);
  card.pcm.acknowledge();
  assert.deepEqual(card.played(), [...frames(1, 10), ...new Array(25).fill(0), ...frames(11, 10)]);
});

Deno.test("DummyPcm keeps a part of a long silence, however long it was", () => {
  using card = new DummyCard("playback", { bufferFrames: 100 });
  write(card, 1, 10);
  card.pcm.start();
  card.advance(14 * 24 * 3600 * 1000);
  card.pcm.acknowledge();
  assert.equal(card.pcm.next(), 14 * 24 * 3600 * 1000);
  write(card, 11, 10);
  card.advance(10);
  card.pcm.acknowledge();
  const played = card.played();
  assert(played.length <= 20 + (1 << 18) / FRAME_BYTES);
  assert.deepEqual([played.slice(0, 10), played.slice(-10)], [
    Array.from(frames(1, 10)),
    Array.from(frames(11, 10)),
  ]);
  assert(played.slice(10, -10).every((number) => number === 0));
});

Deno.test("DummyPcm plays a format's own silence", () => {
  for (const format of FORMATS.filter(({ silence }) => silence !== undefined)) {
    const fd = unwrap(libc().memfd_create(new Uint8Array([0x78, 0]), 0), "memfd_create");
    let now = 0;
    const params = {
      direction: "playback",
      rate: 1000,
      channels: 1,
      format: format.code,
      frameBytes: format.octets!,
      bufferFrames: 8,
      periodFrames: 4,
    } as const;
    const pcm = new DummyPcm({ kind: "dummy", params, fd }, () => now);
    pcm.start();
    now = 3;
    pcm.acknowledge();
    pcm.next();
    pcm.release();
    const played = Array.from(Deno.readFileSync(`/proc/self/fd/${fd}`));
    libc().close(fd);
    assert.deepEqual(played, [format.silence, format.silence, format.silence].flat(), format.name);
  }
});

Deno.test("DummyPcm stands while paused, and goes on with the next frame", () => {
  using card = new DummyCard("playback", { bufferFrames: 100 });
  write(card, 1, 100);
  card.pcm.start();
  card.advance(40);
  assert.equal(card.pcm.pause(true), 0);
  card.advance(5000);
  card.pcm.acknowledge();
  assert.equal(card.pcm.position(), 40);
  assert.equal(card.pcm.pause(false), 0);
  card.advance(20);
  card.pcm.acknowledge();
  assert.equal(card.pcm.position(), 60);
  assert.deepEqual(card.played(), Array.from(frames(1, 60)));
});

Deno.test("DummyPcm.drop() throws away what was not played; prepare() begins again at 0", () => {
  using card = new DummyCard("playback", { bufferFrames: 100 });
  write(card, 1, 100);
  card.pcm.start();
  card.advance(40);
  card.pcm.drop();
  card.advance(100);
  assert.equal(card.pcm.position(), 40);
  card.pcm.prepare();
  assert.deepEqual([card.pcm.position(), card.pcm.avail(), card.pcm.next()], [0, 100, 0]);
  write(card, 201, 10);
  card.pcm.start();
  card.advance(10);
  card.pcm.acknowledge();
  assert.deepEqual(card.played(), [...frames(1, 40), ...frames(201, 10)]);
});

Deno.test("DummyPcm hears its file from the beginning, and silence after its end", () => {
  using card = new DummyCard("capture", { bufferFrames: 100, heard: frames(1, 30) });
  const { pcm } = card;
  const read = (count: number) => {
    new Uint8Array(pcm.staging).fill(0xee);
    const got = pcm.read(count);
    return Array.from(new Uint32Array(pcm.staging, 0, got));
  };
  assert.deepEqual([pcm.avail(), read(10)], [0, []]);
  pcm.start();
  card.advance(20);
  assert.deepEqual([pcm.position(), pcm.avail()], [20, 20]);
  assert.deepEqual(read(5), Array.from(frames(1, 5)));
  assert.equal(pcm.avail(), 15);
  card.advance(20);
  assert.deepEqual(read(100), [...frames(6, 25), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  card.advance(3);
  assert.deepEqual(read(100), [0, 0, 0]);
});

Deno.test("DummyPcm.position() counts every frame of weeks, pauses left out, at any rate", () => {
  const rate = fc.constantFrom(5512, 44100, 48000, 192000);
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 2 ** 30 }), fc.boolean()), { maxLength: 40 });
  fc.assert(fc.property(rate, steps, (rate, steps) => {
    let now = 1e9, ran = 0;
    const params = {
      direction: "playback",
      rate,
      channels: 2,
      format: formatByName("s16_le")!.code,
      frameBytes: 4,
      bufferFrames: 4096,
      periodFrames: 1024,
    } as const;
    const pcm = new DummyPcm({ kind: "dummy", params, fd: -1 }, () => now);
    pcm.start();
    let before = 0;
    for (const [ms, pause] of steps) {
      if (pause) pcm.pause(true);
      now += ms;
      if (pause) pcm.pause(false);
      else ran += ms;
      const position = pcm.position();
      assert(Number.isInteger(position) && position >= before, "it went back");
      before = position;
    }
    // A pause begins within a frame, so each pause costs up to one frame.
    const pauses = steps.filter(([, pause]) => pause).length;
    const expected = ran * rate / 1000;
    assert(before <= expected + 1 && before >= expected - pauses - 1, `${before}, not ${expected}`);
    pcm.release();
  }));
});

Deno.test("DummyPcm wakes the engine once a period of the real clock, and not when it stands", () => {
  const params = {
    direction: "playback",
    rate: 48000,
    channels: 2,
    format: formatByName("s16_le")!.code,
    frameBytes: 4,
    bufferFrames: 4800,
    periodFrames: 480,
  } as const;
  const pcm = new DummyPcm({ kind: "dummy", params, fd: -1 });
  const poll = new PollSet(1);
  poll.add(pcm.pollFd, pcm.pollEvents);
  assert.equal(poll.wait(30), 0, "not started");
  pcm.start();
  for (let period = 1; period <= 5; period++) {
    assert.equal(poll.wait(2000), 1);
    assert(pcm.position() >= period * 480 - 1, "woken before the period was over");
    pcm.acknowledge();
  }
  pcm.pause(true);
  pcm.acknowledge();
  assert.equal(poll.wait(30), 0, "paused");
  pcm.pause(false);
  assert.equal(poll.wait(2000), 1);
  pcm.drop();
  pcm.acknowledge();
  assert.equal(poll.wait(30), 0, "dropped");
  pcm.release();
});

Deno.test("DummyPcm says that its file failed, and adds nothing after what is missing from it", () => {
  const fds = new Int32Array(2);
  unwrap(libc().pipe2(fds, O.NONBLOCK | O.CLOEXEC), "pipe2");
  const [readEnd = -1, writeEnd = -1] = fds;
  const octets = new Uint8Array(1 << 17);
  const take = () => Math.max(0, libc().hot_read(readEnd, addressOf(octets), octets.length));
  try {
    let now = 0;
    const params = {
      direction: "playback",
      rate: 1000,
      channels: 3,
      format: formatByName("s32_le")!.code,
      frameBytes: 12,
      bufferFrames: 5000,
      periodFrames: 1000,
    } as const;
    const pcm = new DummyPcm({ kind: "dummy", params, fd: writeEnd }, () => now);
    pcm.start();
    const play = () => {
      pcm.write(1000);
      now += 1000;
      clearErrno();
      pcm.acknowledge();
    };
    // 72 KiB go into a pipe of 64 KiB without a reader: the sixth write is cut short.
    for (let i = 0; i < 6; i++) play();
    assert.equal(pcm.fileError, XEN_EAGAIN);
    assert.equal(pcm.write(1), -XEN_EIO);
    assert(take() > 60_000);
    play();
    assert.equal(take(), 0);
    pcm.release();
  } finally {
    for (const fd of fds) libc().close(fd);
  }
});
