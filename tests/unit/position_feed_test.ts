// SPDX-License-Identifier: MIT
/**
 * The positions that the engine reports to a guest, on a real event page. A model of the guest's driver, snd_xen_front, and of
 * its ALSA core judges them.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type KeptOpen, KeptStream } from "../../lib/bridge/kept_stream.ts";
import { createStatusTable, StatusRow } from "../../lib/bridge/stream_status.ts";
import { TraceRing } from "../../lib/bridge/trace_ring.ts";
import { PositionFeed } from "../../lib/engine/samples/position_feed.ts";
import { StreamTrace } from "../../lib/engine/stream_trace.ts";
import {
  type EventIdBehaviour,
  EventPageConsumer,
  EventPageProducer,
  EventView,
  Taken,
  XENSND_EVENT_PAGE_SIZE,
  XENSND_IN_RING_LEN,
} from "../../lib/sndif/mod.ts";
import type { EventChannels } from "../../lib/xen/ports.ts";
import { RecordKind } from "../../lib/trace/trace_format.ts";

const FRAME_BYTES = 4;
const EVENT_PORT = 7;
const OPEN = {
  pcmRate: 48_000,
  pcmFormat: 2,
  pcmChannels: 2,
  bufferSz: 65_536,
  grefDirectory: 17,
  periodSz: 16_384,
};

/** Model of `xen_snd_front_alsa_handle_cur_pos`, with `snd_pcm_update_hw_ptr` at each period. */
class Driver {
  wakeups = 0;
  outFrames = 0;
  /** The ALSA core's hw_ptr, as of the last wake-up. */
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

/** A stream and its guest. The test moves the device's pointer; the guest takes the events. */
class Stream {
  feed: PositionFeed;
  readonly driver: Driver;
  /** Number of notifications to the guest. */
  notified = 0;
  device = 0;
  readonly records = new TraceRing();
  readonly #consumer: EventPageConsumer;
  readonly #event = new EventView();
  readonly kept = new KeptStream();
  readonly #page = new ArrayBuffer(XENSND_EVENT_PAGE_SIZE);
  readonly #base: number;

  constructor(
    readonly period: number,
    readonly buffer: number,
    readonly status = new StatusRow(createStatusTable(1), 0),
    { generation = "linux-6.1" as EventIdBehaviour, earlierEvents = 0 } = {},
  ) {
    this.#consumer = new EventPageConsumer(this.#page, 0, generation);
    const events = new EventPageProducer(this.#page);
    for (let i = 0; i < earlierEvents; i++) events.publishCurPos(0, 0);
    while (this.#consumer.take(this.#event) !== Taken.none);
    this.#consumer.pcmOpened();
    events.opened();
    this.#base = events.base;
    this.kept.begin({ domain: 1, ringRef: 1, evtRingRef: 1, eventChannel: 1, evtEventChannel: 1 });
    this.kept.opened(OPEN, this.#base);
    this.kept.setState("running");
    this.feed = this.#feed(events);
    this.driver = new Driver(period, buffer);
  }

  #feed(events: EventPageProducer): PositionFeed {
    const notify = (port: number) => {
      assert.equal(port, EVENT_PORT);
      this.notified++;
    };
    const services = {
      channels: { notify } as unknown as EventChannels,
      post: (event: unknown) => assert.fail(`posted ${JSON.stringify(event)}`),
      pollSetChanged: () => assert.fail("the poll set has nothing to do with it"),
    };
    const subscriber = {
      periodFrames: this.period,
      bufferFrames: this.buffer,
      frameBytes: FRAME_BYTES,
      connection: {
        eventPort: EVENT_PORT,
        events,
        status: this.status,
        trace: new StreamTrace(this.status, this.records.address),
        services,
      },
    };
    return new PositionFeed(subscriber, this.kept);
  }

  get #keptNow(): KeptOpen {
    return this.kept.read({ domain: 1, ringRef: 1, evtRingRef: 1, eventChannel: 1, evtEventChannel: 1 })!;
  }

  /** A feed in the place of {@link feed} whose daemon dies with its first event: what was kept before stays. */
  dyingFeed(): PositionFeed {
    const dying = {
      publishCurPos: () => {
        this.kept.freeze();
        return false;
      },
    } as unknown as EventPageProducer;
    const feed = this.#feed(dying);
    feed.resume({ ...this.#keptNow, told: this.feed.toldFrames });
    return feed;
  }

  /** The daemon dies, and the next one goes on with what was kept. */
  die(): void {
    this.kept.thaw();
    const kept = this.#keptNow;
    const events = new EventPageProducer(this.#page);
    events.resumed(kept.eventBase);
    this.feed = this.#feed(events);
    this.feed.resume(kept);
    this.device = Math.max(kept.told, this.device);
  }

  /** The guest takes all pending events. Returns their positions, in frames. */
  take(): number[] {
    const positions: number[] = [];
    while (this.#consumer.take(this.#event) === Taken.one) {
      const position = this.#event.position / FRAME_BYTES;
      this.driver.take(position);
      positions.push(position);
    }
    return positions;
  }

  /** Follows the device until nothing is left to report, and yields the positions that the guest takes. */
  *follow(): Generator<number> {
    for (;;) {
      this.feed.follow(this.device);
      const positions = this.take();
      if (positions.length === 0) return;
      yield* positions;
    }
  }

  /** Moves the device's pointer by `frames` and publishes until nothing is left to report. Returns the published steps. */
  advance(frames: number): number[] {
    this.device += frames;
    const steps: number[] = [];
    for (;;) {
      let told = this.feed.toldFrames;
      this.feed.follow(this.device);
      const positions = this.take();
      if (positions.length === 0) return steps;
      for (const position of positions) {
        steps.push(position - told);
        told = position;
      }
      assert.equal(told, this.feed.toldFrames);
      assert(steps.length < 100, "it does not come to an end");
    }
  }
}

const sizes = fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 2, max: 16 }), fc.nat(100))
  .map(([period, periods, odd]) => ({ period, buffer: period * periods + Math.min(odd, period - 1) }));

/** Steps of the device between two readings, in periods: on average eight readings a period. */
const jitter = fc.array(fc.double({ min: 0, max: 0.25, noNaN: true }), {
  minLength: 1,
  maxLength: 300,
  size: "max",
});

Deno.test("PositionFeed tells whole frames, forwards, in steps below the buffer, never ahead of the device", () => {
  const shares = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { maxLength: 100, size: "max" });
  fc.assert(fc.property(sizes, shares, ({ period, buffer }, shares) => {
    const stream = new Stream(period, buffer);
    for (const share of shares) {
      const untold = stream.device - stream.feed.toldFrames;
      for (const step of stream.advance(Math.floor(share * (buffer - untold)))) {
        assert(Number.isInteger(step) && step > 0 && step < buffer, `a step of ${step} in ${buffer}`);
      }
      assert(stream.feed.toldFrames <= stream.device);
    }
  }));
});

Deno.test("PositionFeed wakes the guest once a period, under any jitter of the device", () => {
  fc.assert(fc.property(sizes, jitter, ({ period, buffer }, jitter) => {
    fc.pre(period >= 32);
    const stream = new Stream(period, buffer);
    for (const share of jitter) {
      stream.advance(Math.floor(share * period));
      const { wakeups, outFrames } = stream.driver;
      // The driver's remainder loses no frame, and its strict test, "more than a period", never delays a wake-up.
      assert.equal(wakeups * period + outFrames, stream.feed.toldFrames);
      assert(outFrames <= period);
      assert(stream.device <= (wakeups + 1) * period, "the device is past the period, and the guest sleeps");
      assert.equal(stream.status.get("periods"), wakeups);
    }
  }));
});

for (const generation of ["linux-6.1", "linux-7.2"] as const) {
  Deno.test(`PositionFeed goes on where that of a dead daemon has ended, ${generation}`, () => {
    const deaths = fc.array(fc.constantFrom("lives", "lives", "dies", "dies before it tells"), {
      minLength: 1,
      maxLength: 300,
      size: "max",
    });
    fc.assert(
      fc.property(sizes, jitter, deaths, fc.nat(70), ({ period, buffer }, jitter, deaths, earlier) => {
        fc.pre(period >= 32);
        const options = { generation, earlierEvents: earlier };
        const stream = new Stream(period, buffer, undefined, options);
        let last = 0;
        for (const [i, share] of jitter.entries()) {
          const frames = Math.floor(share * period);
          stream.device += frames;
          const isSecond = deaths[(i - 1) % deaths.length] === "dies before it tells";
          const fate = isSecond ? "lives" : deaths[i % deaths.length]!;
          if (fate === "dies before it tells") stream.kept.setTold(stream.device);
          else stream.feed.follow(stream.device);
          for (const position of stream.take()) {
            assert(position > last && position - last < buffer, `from ${last} to ${position} of ${buffer}`);
            last = position;
          }
          if (fate !== "lives") stream.die();
        }
        stream.device += Math.ceil(period / 8);
        stream.feed.follow(stream.device);
        assert.equal(stream.take().at(-1), stream.device, "the guest hears of the daemon no more");
      }),
    );
  });
}

Deno.test("PositionFeed steps no buffer where one that dies as it tells has kept what it has not told", () => {
  const move = fc.record({ percent: fc.nat(300), stops: fc.boolean() });
  fc.assert(
    fc.property(sizes, fc.array(move, { minLength: 1, maxLength: 20 }), ({ period, buffer }, moves) => {
      fc.pre(buffer > 2);
      const stream = new Stream(period, buffer);
      let last = 0;
      for (const { percent, stops } of moves) {
        stream.device += Math.ceil(percent * buffer / 100);
        const dying = stream.dyingFeed();
        if (stops) dying.tell(Math.ceil(dying.toldFrames / buffer) * buffer);
        else dying.follow(stream.device);
        stream.die();
        // The next daemon tells the guest something before it dies.
        stream.device += period;
        for (const position of stream.follow()) {
          assert(position > last && position - last < buffer, `from ${last} to ${position} of ${buffer}`);
          last = position;
        }
      }
    }),
  );
});

Deno.test("PositionFeed keeps the guest within a twelfth of a period of the device", () => {
  fc.assert(fc.property(sizes, jitter, ({ period, buffer }, jitter) => {
    const stream = new Stream(period, buffer);
    for (const share of jitter) {
      stream.advance(Math.floor(share * period));
      assert(stream.device - stream.feed.toldFrames <= period / 12);
    }
  }));
});

Deno.test("PositionFeed publishes about twelve positions a period, however often it is asked", () => {
  const stream = new Stream(6000, 24000);
  let events = 0;
  for (let frame = 0; frame < 60_000; frame++) events += stream.advance(1).length;
  assert(events >= 120 && events <= 132, `${events} events`);
  assert.equal(stream.driver.wakeups, 9);
});

Deno.test("PositionFeed shows the guest its xrun after a stall longer than the buffer, and goes on from there", () => {
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
        // The guest's buffer is full.
        const applPtr = stream.feed.toldFrames + buffer;
        const steps = stream.advance(buffers * buffer + more % buffer + 1);
        assert(steps.length >= 2 && steps.every((step) => step > 0 && step < buffer));
        assert(stream.device - stream.feed.toldFrames <= period / 12);
        for (let i = 0; i < 8 * 3; i++) stream.advance(Math.ceil(period / 8));
        assert(stream.driver.hwPtr >= applPtr, "the guest does not know that it has run dry");
        // The ALSA core's pointer is right modulo the buffer.
        assert.equal((stream.feed.toldFrames - stream.driver.hwPtr) % buffer < 2 * period, true);
      },
    ),
  );
});

Deno.test("PositionFeed holds a position for which the page has no room, and makes up for it", () => {
  const stream = new Stream(1000, 4000);
  for (let n = 1; n <= XENSND_IN_RING_LEN; n++) stream.feed.follow(n * 100);
  const told = XENSND_IN_RING_LEN * 100;
  assert.equal(stream.feed.toldFrames, told);
  for (const position of [told + 100, told + 200]) stream.feed.follow(position);
  stream.feed.tell(told + 300);
  assert.equal(stream.feed.toldFrames, told, "the guest has not been told, for want of room");
  assert.equal(stream.notified, XENSND_IN_RING_LEN);
  assert.equal(stream.take().at(-1), told);
  stream.feed.follow(told + 400);
  assert.deepEqual(stream.take(), [told + 400], "the newest");
  stream.feed.follow(told + 400);
  stream.feed.follow(told + 399);
  assert.deepEqual(stream.take(), [], "a pointer that stands, or goes back");
});

Deno.test("PositionFeed.tell() publishes what is due and what is not, once", () => {
  const stream = new Stream(1000, 4000);
  stream.feed.follow(1);
  assert.deepEqual(stream.take(), [], "not due");
  stream.feed.tell(1);
  stream.feed.tell(1);
  assert.deepEqual(stream.take(), [1]);
  assert.equal(stream.feed.toldFrames, 1);
  assert.deepEqual([stream.status.get("events"), stream.notified], [1, 1]);
});

Deno.test("PositionFeed throws at a position that the driver cannot take, and publishes nothing", () => {
  const stream = new Stream(1000, 4000);
  stream.feed.tell(500);
  for (const position of [499, 0, 4501]) {
    assert.throws(
      () => stream.feed.tell(position),
      /^Error: a position -?\d+ frames on, in a buffer of 4000$/,
    );
  }
  assert.deepEqual(stream.take(), [500]);
});

Deno.test("PositionFeed counts, notifies and traces each event once", () => {
  const stream = new Stream(1000, 4000);
  const reader = stream.records.follow();
  const steps = stream.advance(20_000);
  assert(steps.length > 2);
  assert.equal(stream.status.get("events"), steps.length);
  assert.equal(stream.notified, steps.length);
  assert.deepEqual(reader.take().map(({ kind }) => kind), steps.map(() => RecordKind.event));
});

Deno.test("PositionFeed counts on where an earlier OPEN's feed has left off", () => {
  const first = new Stream(1000, 4000);
  first.advance(2500);
  const second = new Stream(1000, 4000, first.status);
  second.advance(3500);
  const { driver: { wakeups } } = first;
  assert(wakeups > 0);
  assert.equal(first.status.get("periods"), wakeups + second.driver.wakeups);
});

Deno.test("PositionFeed takes a guest that wants no events as told, and publishes nothing", () => {
  const feed = new PositionFeed();
  feed.follow(1);
  assert.equal(feed.toldFrames, 1);
  feed.follow(100_000);
  assert.equal(feed.toldFrames, 100_000);
  feed.tell(200_000);
  assert.equal(feed.toldFrames, 200_000);
});

Deno.test("PositionFeed is exact after weeks", () => {
  const rate = 192_000;
  // The largest possible buffer, so that weeks take only some thousand steps.
  const buffer = 2 ** 32 / FRAME_BYTES, period = buffer / 4;
  const stream = new Stream(period, buffer);
  const weeks = 5 * 7 * 24 * 3600 * rate; // beyond 2^36 frames, 2^38 octets
  while (stream.device < weeks) assert.deepEqual(stream.advance(buffer * 3 / 8), [buffer * 3 / 8]);
  const { wakeups } = stream.driver;
  for (let i = 0; i < 800; i++) stream.advance(period / 8);
  assert.equal(stream.driver.wakeups - wakeups, 99);
  assert.equal(stream.feed.toldFrames, stream.device);
});
