// SPDX-License-Identifier: MIT
/** When positions go out, judged by what snd_xen_front and the ALSA core of its guest make of them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { PositionReporter } from "../../lib/engine/samples/position_reporter.ts";

/** `xen_snd_front_alsa_handle_cur_pos`, and `snd_pcm_update_hw_ptr` at each period. */
class Driver {
  wakeups = 0;
  outFrames = 0;
  /** The core's pointer, as of the last wake-up. */
  hwPtr = 0;
  #beCurFrame = 0;
  #ptr = 0;
  #hwBase = 0;

  constructor(readonly periodFrames: number, readonly bufferFrames: number) {}

  take(frame: number): void {
    const delta = frame - this.#beCurFrame;
    this.#beCurFrame = frame;
    this.#ptr = (this.#ptr + delta) % this.bufferFrames;
    this.outFrames += delta;
    if (this.outFrames <= this.periodFrames) return;
    this.outFrames %= this.periodFrames;
    this.wakeups++;
    if (this.#hwBase + this.#ptr < this.hwPtr) this.#hwBase += this.bufferFrames;
    this.hwPtr = this.#hwBase + this.#ptr;
  }
}

/** A stream whose card's pointer the test moves. */
class Stream {
  readonly reporter: PositionReporter;
  readonly driver: Driver;
  reported = 0;
  card = 0;

  constructor(readonly period: number, readonly buffer: number) {
    this.reporter = new PositionReporter(period, buffer);
    this.driver = new Driver(period, buffer);
  }

  /** The card's pointer goes on by `frames`; returns the steps that were published. */
  advance(frames: number): number[] {
    this.card += frames;
    const steps: number[] = [];
    for (;;) {
      const position = this.reporter.next(this.reported, this.card);
      if (position < 0) return steps;
      steps.push(position - this.reported);
      this.driver.take(position);
      this.reporter.published(position - this.reported);
      this.reported = position;
      assert(steps.length < 100, "it does not come to an end");
    }
  }
}

const sizes = fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 2, max: 16 }), fc.nat(100))
  .map(([period, periods, odd]) => ({ period, buffer: period * periods + Math.min(odd, period - 1) }));

/** A card that is looked at eight times a period, more or less. */
const jitter = fc.array(fc.double({ min: 0, max: 0.25, noNaN: true }), {
  minLength: 1,
  maxLength: 300,
  size: "max",
});

Deno.test("PositionReporter tells whole frames, forwards, in steps below the buffer, never ahead of the card", () => {
  const shares = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { maxLength: 100, size: "max" });
  fc.assert(fc.property(sizes, shares, ({ period, buffer }, shares) => {
    const stream = new Stream(period, buffer);
    for (const share of shares) {
      const unreported = stream.card - stream.reported;
      for (const step of stream.advance(Math.floor(share * (buffer - unreported)))) {
        assert(Number.isInteger(step) && step > 0 && step < buffer, `a step of ${step} in ${buffer}`);
      }
      assert(stream.reported <= stream.card);
    }
  }));
});

Deno.test("PositionReporter wakes the guest once a period, under any jitter of the card", () => {
  fc.assert(fc.property(sizes, jitter, ({ period, buffer }, jitter) => {
    fc.pre(period >= 32);
    const stream = new Stream(period, buffer);
    for (const share of jitter) {
      stream.advance(Math.floor(share * period));
      const { wakeups, outFrames } = stream.driver;
      // Nothing is lost to the remainder, and nobody waits for longer than the driver's strict "more than a period".
      assert.equal(wakeups * period + outFrames, stream.reported);
      assert(outFrames <= period);
      assert(stream.card <= (wakeups + 1) * period, "the card is past the period, and the guest sleeps");
      assert.equal(stream.reporter.periods, wakeups);
    }
  }));
});

Deno.test("PositionReporter keeps the guest within a twelfth of a period of the card", () => {
  fc.assert(fc.property(sizes, jitter, ({ period, buffer }, jitter) => {
    const stream = new Stream(period, buffer);
    for (const share of jitter) {
      stream.advance(Math.floor(share * period));
      assert(stream.card - stream.reported <= period / 12);
    }
  }));
});

Deno.test("PositionReporter publishes about twelve positions a period, however often it is asked", () => {
  const stream = new Stream(6000, 24000);
  let events = 0;
  for (let frame = 0; frame < 60_000; frame++) events += stream.advance(1).length;
  assert(events >= 120 && events <= 132, `${events} events`);
  assert.equal(stream.driver.wakeups, 9);
});

Deno.test("PositionReporter shows the guest its xrun after a stall longer than the buffer, and goes on from there", () => {
  fc.assert(
    fc.property(
      sizes,
      jitter,
      fc.integer({ min: 1, max: 40 }),
      fc.nat(4999),
      (sizes, jitter, buffers, more) => {
        const { period, buffer } = sizes;
        fc.pre(period >= 32);
        const stream = new Stream(period, buffer);
        for (const share of jitter) stream.advance(Math.floor(share * period));
        // The guest had written all that there was room for.
        const applPtr = stream.reported + buffer;
        const steps = stream.advance(buffers * buffer + more % buffer + 1);
        assert(steps.length >= 2 && steps.every((step) => step > 0 && step < buffer));
        assert(stream.card - stream.reported <= period / 12);
        for (let i = 0; i < 8 * 3; i++) stream.advance(Math.ceil(period / 8));
        assert(stream.driver.hwPtr >= applPtr, "the guest does not know that it has run dry");
        // The core's pointer is modulo the buffer, and is right in it.
        assert.equal((stream.reported - stream.driver.hwPtr) % buffer < 2 * period, true);
      },
    ),
  );
});

Deno.test("PositionReporter holds a position that could not be published, and makes up for it", () => {
  const reporter = new PositionReporter(1000, 4000);
  assert.equal(reporter.next(0, 500), 500);
  assert.equal(reporter.next(0, 700), 700, "the event page was full; the next look has the newest");
  reporter.published(700);
  assert.equal(reporter.next(700, 700), -1);
  assert.equal(reporter.next(700, 699), -1, "a card that goes back");
});

Deno.test("PositionReporter is exact after weeks", () => {
  const rate = 192_000, period = 1024, buffer = 4096;
  const stream = new Stream(period, buffer);
  const weeks = 5 * 7 * 24 * 3600 * rate; // beyond 2^36 frames, 2^39 octets
  stream.card = stream.reported = weeks - weeks % buffer;
  stream.driver.take(stream.reported);
  const { wakeups } = stream.driver;
  for (let i = 0; i < 800; i++) stream.advance(128);
  assert.equal(stream.driver.wakeups - wakeups, 99);
  assert.equal(stream.reported, stream.card);
});
