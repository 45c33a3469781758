// SPDX-License-Identifier: MIT
/** Volume and mute, applied to a stream's samples. The device's clock stands still. */
import assert from "node:assert/strict";
import { Volume } from "../../lib/engine/samples/volume.ts";
import { MIN_VOLUME } from "../../lib/stream/volume_bounds.ts";
import { DummyPcm } from "../../lib/pcm/dummy/pcm.ts";
import { isArithmetic, SampleAccess } from "../../lib/pcm/sample_access.ts";
import { fillSilence, formatByName, FORMATS, type SampleFormat } from "../../lib/sndif/mod.ts";

const RATE = 8000;
const RAMP = RATE / 100;
/** Halves amplitudes: the volume nearest to 20 lg 0.5 dB. */
const HALF = -6021;

const arithmetic = FORMATS.filter(isArithmetic);

/** A device with a staging buffer, and the volume stage before it. */
function stream(format: SampleFormat, channels = 1) {
  const frameBytes = format.octets! * channels;
  const params = {
    direction: "playback",
    rate: RATE,
    channels,
    format: format.code,
    frameBytes,
    bufferFrames: 1024,
    periodFrames: 256,
  } as const;
  const pcm = new DummyPcm({ kind: "dummy", params, fd: -1 });
  const view = new DataView(pcm.staging);
  const volume = new Volume(pcm);
  return {
    volume,
    bytes: new Uint8Array(pcm.staging),
    access: isArithmetic(format) ? new SampleAccess(format) : undefined,
    /** Fills `frames` frames with `value` and applies the volume. Returns the resulting samples. */
    pass(value: number, frames: number): number[] {
      const access = new SampleAccess(format);
      for (let i = 0; i < frames * channels; i++) access.store(view, i * format.octets!, value);
      volume.apply(frames);
      return Array.from({ length: frames * channels }, (_, i) => access.load(view, i * format.octets!));
    },
    [Symbol.dispose]: () => pcm.release(),
  };
}

const full = (format: SampleFormat) => format.kind === "float" ? 1 : 2 ** (format.bits! - 1) - 1;

Deno.test("samples of each linear and float format are numbers around 0, and fit back", () => {
  assert.equal(arithmetic.length, 18);
  for (const format of arithmetic) {
    const access = new SampleAccess(format);
    const octets = new Uint8Array(8);
    const view = new DataView(octets.buffer);
    fillSilence(format, octets, 0, format.octets!);
    assert.equal(access.load(view, 0), 0, format.name);
    const least = -full(format) - (format.kind === "linear" ? 1 : 0);
    for (const value of [0, 1, -1, full(format), least]) {
      access.store(view, 0, value);
      assert.equal(access.load(view, 0), value, format.name);
    }
    if (format.kind !== "linear") continue;
    access.store(view, 0, 2 ** 40);
    assert.equal(access.load(view, 0), full(format), `${format.name} clips`);
    access.store(view, 0, -(2 ** 40));
    assert.equal(access.load(view, 0), least, `${format.name} clips`);
  }
});

Deno.test("the octets of a sample are where its format has them", () => {
  const expected: Record<string, string> = {
    s8: "ff",
    u8: "7f",
    s16_le: "feff",
    s16_be: "fffe",
    u16_be: "7ffe",
    s24_le: "feffffff",
    u24_le: "feff7f00",
    u24_be: "007ffffe",
    s32_be: "fffffffe",
    u32_le: "feffff7f",
    float_le: "000000c0",
    float64_be: "c000000000000000",
  };
  for (const [name, hex] of Object.entries(expected)) {
    const format = formatByName(name)!;
    const octets = new Uint8Array(format.octets!);
    new SampleAccess(format).store(new DataView(octets.buffer), 0, format.octets === 1 ? -1 : -2);
    assert.equal(octets.toHex(), hex, name);
  }
});

Deno.test("at 0 dB, and after a return to it, every format passes octet for octet", () => {
  for (const format of FORMATS.filter(({ octets }) => octets !== undefined)) {
    using card = stream(format, 2);
    const { volume, bytes } = card;
    crypto.getRandomValues(bytes.subarray(0, 4096));
    const before = bytes.slice(0, 4096);
    const frames = 4096 / (format.octets! * 2);
    const passes = () => {
      bytes.set(before);
      volume.apply(frames);
      volume.advance(frames);
      return before.every((octet, i) => octet === bytes[i]);
    };
    assert(passes(), format.name);
    if (!volume.isPossible) continue;
    volume.setVolume(1, -20_000);
    volume.changed();
    assert(!passes(), format.name);
    volume.setVolume(1, 0);
    volume.changed();
    passes();
    assert(passes(), format.name);
  }
});

Deno.test("a volume scales each format, from the first sample on if nothing was heard yet", () => {
  for (const format of arithmetic) {
    using card = stream(format);
    card.volume.setVolume(0, HALF);
    card.volume.changed();
    const loud = full(format);
    for (const value of card.pass(loud, 4)) {
      const wanted = loud * 10 ** (HALF / 20_000);
      assert(Math.abs(value - wanted) <= (format.kind === "float" ? 1e-6 : 0.5), `${format.name}: ${value}`);
    }
    card.volume.setVolume(0, MIN_VOLUME);
    card.volume.changed();
    assert.deepEqual(card.pass(loud, 2), [0, 0], format.name);
  }
});

Deno.test("a change goes over 10 ms, in equal steps, whatever part the card takes at a time", () => {
  using card = stream(formatByName("float_le")!);
  const { volume } = card;
  volume.advance(1);
  volume.setMuted(0, true);
  volume.changed();
  const heard: number[] = [];
  for (let taken = 1; heard.length < RAMP + 10; taken = taken % 7 + 1) {
    // The device takes only part of the frames, as when nearly full.
    const offered = card.pass(1, 20);
    heard.push(...offered.slice(0, taken));
    volume.advance(taken);
  }
  for (let i = 1; i <= RAMP; i++) {
    assert(
      Math.abs(heard[i]! - heard[i - 1]! + 1 / RAMP) < 1e-6,
      `a step of ${heard[i]! - heard[i - 1]!} at ${i}`,
    );
  }
  assert.deepEqual(new Set(heard.slice(RAMP)), new Set([0]));
});

Deno.test("a change in the middle of a ramp goes on from what is heard", () => {
  using card = stream(formatByName("float_le")!);
  const { volume } = card;
  volume.advance(1);
  volume.setMuted(0, true);
  volume.changed();
  const down = card.pass(1, RAMP / 2);
  volume.advance(RAMP / 2);
  volume.setMuted(0, false);
  volume.changed();
  const up = card.pass(1, 2 * RAMP);
  volume.advance(2 * RAMP);
  assert(Math.abs(up[0]! - down.at(-1)!) <= 1 / RAMP + 1e-6, `${down.at(-1)} to ${up[0]}`);
  assert.equal(up.at(-1), 1);
});

Deno.test("channels have volumes and mutes of their own; unmuting brings the volume back", () => {
  using card = stream(formatByName("s16_le")!, 3);
  const { volume } = card;
  volume.setVolume(1, HALF);
  volume.setMuted(2, true);
  volume.changed();
  assert.deepEqual(card.pass(10_000, 1), [10_000, 5000, 0]);
  volume.setMuted(1, true);
  volume.setMuted(2, false);
  volume.changed();
  assert.deepEqual(card.pass(10_000, 1), [10_000, 0, 10_000]);
  volume.setMuted(1, false);
  volume.changed();
  assert.deepEqual(card.pass(10_000, 1), [10_000, 5000, 10_000]);
  assert.equal(volume.volume(1), HALF);
});

Deno.test("above 0 dB what does not fit is clipped, and does not wrap", () => {
  using card = stream(formatByName("s16_le")!);
  card.volume.setVolume(0, 6021);
  card.volume.changed();
  assert.deepEqual([card.pass(1000, 1)[0], card.pass(30_000, 1)[0], card.pass(-30_000, 1)[0]], [
    2000,
    32_767,
    -32_768,
  ]);
});

Deno.test("a law format has no volume", () => {
  using card = stream(formatByName("mu_law")!);
  assert.equal(card.volume.isPossible, false);
  assert.throws(() => new SampleAccess(formatByName("a_law")!), RangeError);
});
