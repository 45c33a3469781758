// SPDX-License-Identifier: MIT
/** One turn of the engine moves at most TURN_BYTES of a stream with many channels, counted by cost. */
import assert from "node:assert/strict";
import { Memory } from "../../ffi/libc/memory.ts";
import { Capture } from "../../lib/engine/samples/capture.ts";
import { GuestBuffer } from "../../lib/engine/samples/guest_buffer.ts";
import { Playback } from "../../lib/engine/samples/playback.ts";
import { PositionFeed } from "../../lib/engine/samples/position_feed.ts";
import { createStatusTable, StatusRow } from "../../lib/bridge/stream_status.ts";
import { DummyPcm } from "../../lib/pcm/dummy/pcm.ts";
import { formatByName } from "../../lib/sndif/mod.ts";

const TURN_BYTES = 1 << 18;
const { code, octets } = formatByName("float64_le")!;
const CHANNELS = 255;
const FRAME_BYTES = CHANNELS * octets!;
/** The data of five turns. */
const FRAMES = Math.ceil(5 * TURN_BYTES / FRAME_BYTES);
const RATE = 192_000;

/** A stream whose whole buffer is ready to move. The device's clock stands still. */
function fullStream(direction: "playback" | "capture", volume: number): Playback | Capture {
  let now = 0;
  const params = {
    direction,
    rate: RATE,
    channels: CHANNELS,
    format: code,
    frameBytes: FRAME_BYTES,
    bufferFrames: FRAMES,
    periodFrames: FRAMES >> 2,
  };
  const pcm = new DummyPcm({ kind: "dummy", params, fd: -1 }, () => now);
  const buffer = new GuestBuffer(Memory.of(new ArrayBuffer(FRAMES * FRAME_BYTES)), pcm.staging);
  const status = new StatusRow(createStatusTable(1), 0);
  const transfer = new (direction === "playback" ? Playback : Capture)(
    pcm,
    buffer,
    new PositionFeed(),
    status,
  );
  transfer.volume.setOperators(volume, false);
  transfer.volume.changed();
  if (direction === "playback") assert.equal(transfer.request(0, FRAMES * FRAME_BYTES), 0);
  else {
    transfer.start();
    now = (FRAMES - 0.5) * 1000 / RATE;
    pcm.position();
  }
  transfer.takeMoved();
  return transfer;
}

for (const direction of ["playback", "capture"] as const) {
  Deno.test(`a wide ${direction} stream moves a quarter of a MiB in a turn, and the rest in those that follow`, () => {
    const transfer = fullStream(direction, 0);
    let turns = 0;
    let moved = 0;
    do {
      const before = transfer.deviceFrames;
      transfer.pump();
      turns++;
      const octets = transfer.takeMoved();
      assert.equal(octets, (transfer.deviceFrames - before) * FRAME_BYTES);
      assert(octets > 0 && octets <= TURN_BYTES, `${octets} octets in a turn`);
      moved += octets;
    } while (transfer.hasMore);
    assert(turns >= 5, `${turns} turns`);
    assert(moved >= (FRAMES - 1) * FRAME_BYTES, "all of it");
    transfer.pump();
    assert.equal(transfer.takeMoved(), 0);
    transfer.pcm.release();
  });

  Deno.test(`a wide ${direction} stream whose volume is changed moves less in a turn, for the same price`, () => {
    const frames = [0, -6000].map((volume) => {
      const transfer = fullStream(direction, volume);
      transfer.pump();
      assert(transfer.takeMoved() <= TURN_BYTES);
      transfer.pcm.release();
      return transfer.deviceFrames;
    });
    // The volume adds a cost of 16 octets to each sample of 8.
    assert.equal(Math.round(frames[0]! / frames[1]!), 3);
  });
}

Deno.test("a capture stream on a card that never runs out moves in all turns together what there was at the first", () => {
  const transfer = fullStream("capture", 0);
  transfer.pcm.avail = () => FRAMES;
  transfer.pcm.next = () => transfer.deviceFrames;
  transfer.pcm.read = (frames) => frames;
  do transfer.pump(); while (transfer.hasMore && transfer.deviceFrames < 10 * FRAMES);
  assert.equal(transfer.deviceFrames, FRAMES);
  transfer.pcm.release();
});
