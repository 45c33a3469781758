// SPDX-License-Identifier: MIT
/** Tests how the guest's period sets the device's period, that is how often the device reports its position. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { devicePeriodFrames, pollPeriodFrames } from "../../lib/pcm/device_period.ts";

const request = (periodFrames: number, rate = 48000, bufferFrames = 4 * periodFrames) => ({
  rate,
  channels: 2,
  format: 2,
  frameBytes: 4,
  periodFrames,
  bufferFrames,
});

Deno.test("devicePeriodFrames() is a half to an eighth of the guest's period, of 6 ms where that can be, and no less than one", () => {
  const of = (...periods: number[]) => periods.map((period) => devicePeriodFrames(request(period)));
  assert.deepEqual(of(64, 128, 256, 480, 512), [48, 64, 128, 240, 256]);
  assert.deepEqual(of(1024, 2048, 4096, 6000), [256, 256, 512, 750]);
  const periods = fc.integer({ min: 96, max: 100_000 });
  fc.assert(fc.property(periods, fc.constantFrom(8000, 44100, 48000, 192_000), (period, rate) => {
    const frames = devicePeriodFrames(request(period, rate));
    const millisecond = Math.ceil(rate / 1000);
    assert(Number.isInteger(frames) && frames >= millisecond, `${frames}`);
    if (frames === millisecond) return;
    const updates = period / frames;
    // The device's periods divide the guest's period, up to rounding.
    assert(Math.abs(updates - Math.round(updates)) <= updates / frames, `${updates}`);
    assert(Math.round(updates) >= 2 && Math.round(updates) <= 8, `${updates}`);
    if (Math.round(updates) < 8) assert(frames <= 6 * millisecond || Math.round(updates) === 2, `${frames}`);
  }));
});

Deno.test("devicePeriodFrames() goes by a quarter of the buffer where the guest wants no events", () => {
  assert.equal(devicePeriodFrames(request(0, 48000, 4096)), devicePeriodFrames(request(1024)));
});

Deno.test("pollPeriodFrames() lets four periods ahead of a PCM without interrupts be no more than the guest's, of 4 ms and more", () => {
  fc.assert(fc.property(fc.integer({ min: 192, max: 100_000 }), (period) => {
    assert(4 * pollPeriodFrames(request(period)) <= period);
  }));
});

Deno.test("pollPeriodFrames() lets four periods be half of the device's buffer at most, however long the guest's period is", () => {
  fc.assert(fc.property(
    fc.integer({ min: 192, max: 100_000 }),
    fc.integer({ min: 8 * 48, max: 400_000 }),
    (period, bufferFrames) => {
      assert(4 * pollPeriodFrames(request(period, 48000, bufferFrames)) <= bufferFrames / 2);
    },
  ));
});
