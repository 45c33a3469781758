// SPDX-License-Identifier: MIT
/**
 * Each frame of a guest's is played once, or stands in a counter; silence likewise. Playback and Capture go through any order of
 * events on a model of a device. Both sums of `frameSums()` close after each, and what the counters say was heard is what the
 * model has played.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Counts } from "../../lib/bridge/stream_status.ts";
import { QueuedSilence } from "../../lib/engine/samples/queued_silence.ts";
import type { PassedFrames } from "../../lib/engine/samples/transfer.ts";
import type { Direction } from "../../lib/pcm/pcm.ts";
import { KINDS } from "./model_card.ts";
import { ENODEV, ESTRPIPE, ModelStream, type Sizes, type Step } from "./model_stream.ts";

const frames = fc.nat(90);
const passed = fc.constantFrom<PassedFrames>("heardFrames", "standInFrames", "deniedFrames");
const often: readonly fc.WeightedArbitrary<Step>[] = [
  {
    weight: 12,
    arbitrary: fc.record({
      move: frames,
      isBlind: fc.boolean(),
      isFollowed: fc.constantFrom(true, false, false),
    }),
  },
  { weight: 12, arbitrary: fc.record({ run: frames, wakes: fc.constantFrom(true, true, true, false) }) },
  { weight: 3, arbitrary: fc.record({ trigger: fc.constantFrom("start", "start", "stop") }) },
];
const step = fc.oneof<fc.WeightedArbitrary<Step>[]>(
  ...often,
  { weight: 2, arbitrary: fc.record({ jump: frames }) },
  { weight: 3, arbitrary: fc.record({ hold: fc.constantFrom("paused", "stopped", "none", "none") }) },
  { weight: 1, arbitrary: fc.record({ fail: fc.constantFrom(-ESTRPIPE, -ENODEV) }) },
  { weight: 1, arbitrary: fc.record({ replace: passed }) },
  { weight: 2, arbitrary: fc.record({ limit: fc.constantFrom(0, 1, 7, 1000, 1000) }) },
  { weight: 1, arbitrary: fc.record({ reopen: fc.constant(true as const) }) },
);
const sizes: fc.Arbitrary<Sizes> = fc.record({
  guestFrames: fc.constantFrom(3, 16, 64, 100),
  cardFrames: fc.constantFrom(4, 16, 50, 64, 300),
  periodFrames: fc.constantFrom(1, 4, 8),
  kind: fc.constantFrom(...KINDS),
  canPause: fc.boolean(),
});

type Case = {
  readonly what: string;
  readonly direction?: Direction;
  readonly sizes?: Partial<Sizes>;
  /** The stream is started first. */
  readonly steps: readonly Step[];
  readonly counts: Partial<Counts>;
  /** Capture: what the guest reads, silence aside. */
  readonly reads?: readonly number[];
};

const SIZES: Sizes = {
  guestFrames: 100,
  cardFrames: 100,
  periodFrames: 10,
  kind: "hardware",
  canPause: true,
};
const wake = (frames: number) => ({ run: frames, wakes: true }) as const;

const CASES: readonly Case[] = [
  {
    what: "a drain: the silence until STOP is the guest's",
    steps: [{ move: 50 }, wake(20), wake(20), wake(20), wake(10), { trigger: "stop" }],
    counts: {
      transferredFrames: 50,
      heardFrames: 50,
      movedFrames: 70,
      silenceFrames: 20,
      hostSilenceFrames: 0,
    },
  },
  {
    what: "STOP discards what is queued, and moves no device",
    steps: [{ move: 100 }, wake(30), { trigger: "stop" }],
    counts: { transferredFrames: 100, heardFrames: 30, movedFrames: 30, discardedFrames: 70 },
  },
  {
    what: "CLOSE discards what is queued",
    steps: [{ move: 100 }, wake(30), { reopen: true }, { trigger: "start" }, { move: 10 }, wake(10)],
    counts: { transferredFrames: 110, heardFrames: 40, movedFrames: 40, discardedFrames: 70 },
  },
  {
    what: "a hold discards nothing, and CLOSE then does",
    steps: [{ move: 100 }, wake(30), { hold: "stopped" }, wake(30), { reopen: true }],
    counts: { transferredFrames: 100, heardFrames: 30, movedFrames: 30, discardedFrames: 70 },
  },
  {
    what: "frames that are written after the device has passed them are late",
    steps: [{ move: 100 }, wake(130), { move: 50, isBlind: true }, wake(20)],
    counts: { transferredFrames: 150, heardFrames: 120, lateFrames: 30, silenceFrames: 30, movedFrames: 150 },
  },
  {
    what: "a guest that jumps over the silence has written nothing late",
    steps: [{ move: 100 }, wake(130), { jump: 30 }, { move: 20 }, wake(20)],
    counts: { transferredFrames: 120, heardFrames: 120, lateFrames: 0, silenceFrames: 30, movedFrames: 150 },
  },
  {
    what: "frames that come late stay late when the guest jumps on in the same turn",
    steps: [
      ...[{ move: 100 }, wake(130), { move: 10, isBlind: true, isFollowed: true }, { jump: 20 }],
      ...[{ move: 20 }, wake(20)],
    ],
    counts: { transferredFrames: 130, heardFrames: 120, lateFrames: 10, silenceFrames: 30, movedFrames: 150 },
  },
  {
    what: "of a jump ahead of the device the device plays what the buffer holds",
    steps: [{ move: 50 }, wake(20), { jump: 10 }, { move: 20 }, wake(60)],
    counts: { transferredFrames: 80, heardFrames: 80, silenceFrames: 0 },
  },
  {
    what: "samples that the engine brings too late are late by the host",
    sizes: { cardFrames: 30 },
    steps: [{ move: 100 }, wake(60), wake(20)],
    counts: { heardFrames: 50, lateFrames: 30, silenceFrames: 30, hostSilenceFrames: 30 },
  },
  {
    what: "samples that were late as the device was lost count as late; a stand-in takes the rest",
    sizes: { cardFrames: 30 },
    steps: [{ move: 100 }, { run: 60, wakes: false }, { fail: -ENODEV }, wake(20)],
    counts: { heardFrames: 30, lateFrames: 30, hostSilenceFrames: 30, standInFrames: 20, movedFrames: 80 },
  },
  {
    what: "a stream that is denied, and allowed again",
    steps: [
      { move: 100 },
      wake(10),
      { replace: "deniedFrames" },
      wake(20),
      { replace: "heardFrames" },
      wake(30),
    ],
    counts: { heardFrames: 40, deniedFrames: 20, movedFrames: 60, silenceFrames: 0 },
  },
  {
    what: "silence that plugins have queued ahead of late samples is dropped with them, which are heard then",
    sizes: { kind: "plugins" },
    steps: [wake(5), { move: 30, isBlind: true }, { hold: "stopped" }, { hold: "none" }, wake(30)],
    counts: { transferredFrames: 30, heardFrames: 25, lateFrames: 5, silenceFrames: 10, movedFrames: 35 },
  },
  {
    what: "silence that plugins have queued makes samples late as it is played",
    sizes: { kind: "plugins" },
    steps: [wake(5), { move: 30, isBlind: true }, wake(10)],
    counts: { transferredFrames: 30, heardFrames: 0, lateFrames: 15, silenceFrames: 15 },
  },
  {
    what: "an xrun that ends before its silence is played lasts for nothing",
    sizes: { kind: "plugins" },
    steps: [{ move: 1 }, { move: 1 }, { reopen: true }],
    counts: { xruns: 1, xrunSeconds: 0, lateFrames: 0 },
  },
  {
    what: "what a device had as it was suspended is lost by the host, and its pointer has not passed that",
    steps: [{ move: 50 }, wake(20), { fail: -ESTRPIPE }, { move: 10 }, wake(10)],
    counts: {
      ...{ transferredFrames: 60, heardFrames: 30, lateFrames: 30, movedFrames: 30, silenceFrames: 0 },
      ...{ xruns: 1, hostXruns: 1, xrunSeconds: 0.03 },
    },
  },
  {
    what: "a device that has run dry and stopped has played what it had, though the guest's STOP comes first",
    sizes: { kind: "stopping" },
    steps: [{ move: 20 }, { run: 30, wakes: false }, { trigger: "stop" }],
    counts: { transferredFrames: 20, heardFrames: 20, discardedFrames: 0, movedFrames: 20 },
  },
  {
    what: "a device that stopped before STOP plays what follows START",
    sizes: { kind: "stopping" },
    steps: [
      { run: 1, wakes: false },
      { trigger: "stop" },
      { trigger: "start" },
      { move: 10 },
      wake(5),
      wake(5),
    ],
    counts: { transferredFrames: 10, heardFrames: 10, movedFrames: 10 },
  },
  {
    what: "what the guest reads, leaves for too long, and leaves behind",
    direction: "capture",
    steps: [wake(40), { move: 10 }, wake(90), wake(80), { trigger: "stop" }],
    counts: {
      ...{ movedFrames: 210, heardFrames: 210, transferredFrames: 10, lateFrames: 100, discardedFrames: 100 },
      silenceFrames: 0,
    },
    reads: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  },
  {
    what: "silence stands for what the device has overwritten, and is read as such",
    direction: "capture",
    sizes: { cardFrames: 20, periodFrames: 1 },
    steps: [wake(10), wake(50), { move: 60 }],
    counts: {
      movedFrames: 60,
      transferredFrames: 60,
      heardFrames: 29,
      silenceFrames: 31,
      hostSilenceFrames: 31,
    },
    reads: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ...Array.from({ length: 19 }, (_, i) => 42 + i)],
  },
  {
    what: "silence stands for what a device had that stopped, and nothing that the guest had before",
    direction: "capture",
    sizes: { guestFrames: 10, cardFrames: 30, periodFrames: 1, kind: "stopping" },
    steps: [wake(10), { move: 10 }, { limit: 0 }, wake(8), { run: 30, wakes: false }, wake(0), { move: 8 }],
    counts: {
      movedFrames: 18,
      transferredFrames: 18,
      heardFrames: 10,
      silenceFrames: 8,
      hostSilenceFrames: 8,
    },
    reads: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  },
  {
    what: "what a lost device had and nobody has taken is late",
    direction: "capture",
    steps: [wake(10), { limit: 0 }, wake(20), { fail: -ENODEV }, wake(10)],
    counts: { heardFrames: 30, lateFrames: 20, standInFrames: 10, movedFrames: 40, silenceFrames: 0 },
  },
];

for (const { what, direction = "playback", sizes, steps, counts, reads = [] } of CASES) {
  Deno.test(`what became of each frame of ${direction}: ${what}`, () => {
    const stream = new ModelStream(direction, { ...SIZES, ...sizes });
    for (const step of [{ trigger: "start" } as const, ...steps]) stream.take(step);
    const all = stream.row.counts();
    assert.deepEqual(
      Object.fromEntries(Object.keys(counts).map((name) => [name, all[name as keyof Counts]])),
      counts,
    );
    assert.deepEqual(stream.read, reads);
    stream.end();
  });
}

Deno.test("QueuedSilence counts silent frames exactly, however many gaps there are", () => {
  const gaps = fc.array(fc.tuple(fc.nat(5), fc.nat(5), fc.nat(3)), { maxLength: 60, size: "max" });
  fc.assert(fc.property(gaps, (gaps) => {
    const queued = new QueuedSilence();
    let [end, position, added, passed] = [0, 0, 0, 0];
    for (const [sound, silence, run] of gaps) {
      queued.add(end + sound, end + sound + silence);
      end += sound + silence;
      added += silence;
      const next = Math.min(end, position + run);
      passed += queued.within(position, next);
      queued.forget(next);
      position = next;
      assert.equal(passed + queued.within(position, end), added);
    }
    passed += queued.within(position, end);
    queued.forget(end);
    assert.deepEqual([passed, queued.isEmpty], [added, true]);
  }));
});

for (const direction of ["playback", "capture"] as const) {
  Deno.test(`both sums of frames close after each event of ${direction}, and the counters tell what was heard`, () => {
    fc.assert(
      fc.property(sizes, fc.array(step, { maxLength: 200, size: "max" }), (sizes, steps) => {
        const stream = new ModelStream(direction, sizes);
        stream.take({ trigger: "start" });
        for (const step of steps) stream.take(step);
        stream.end();
      }),
      { numRuns: 300 },
    );
  });
}
