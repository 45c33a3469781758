// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import type { OpenRecord, RequestRecord, SegmentRecord } from "../guest/account.ts";
import type { HostPcm } from "../sound/host_pcm.ts";
import { judgePlayed, judgeRecorded } from "./segments_judged.ts";
import type { TakeRun } from "./takes.ts";

const OPEN = { rate: 48_000, periodFrames: 480, bufferFrames: 1920 } as OpenRecord;
const START = { sent: 2000, over: 2100 } as RequestRecord;
const pcm = { type: "HW" } as HostPcm;

function piece(sent: number, at: number, frames: number) {
  return { request: { sent, over: sent + 100, status: 0 } as RequestRecord, at, frames, first: 101 + at };
}

/** Two WRITEs of 480 frames: before the START, and `sent` µs after that. All of them are passed. */
function played(sent: number, ...further: ReturnType<typeof piece>[]): SegmentRecord {
  return {
    from: 0,
    isAfterSuspend: false,
    start: START,
    writes: [piece(1000, 0, 480), piece(START.sent + sent, 480, 480), ...further],
    end: { time: 1_000_000, hwPtr: 960, position: 960 },
  } as unknown as SegmentRecord;
}

function run(first: number, count: number, position: number, take = 1, by = pcm): TakeRun {
  return { take, startedAt: START.sent, pcm: by, first, position, count };
}

const textOf = (segment: SegmentRecord, ...runs: TakeRun[]) => judgePlayed(segment, OPEN, runs).problem?.text;

Deno.test("frames that were written in time are heard", () => {
  assert.deepEqual(judgePlayed(played(1000), OPEN, [run(101, 960, 0)]), { frames: 960, problem: undefined });
  assert.match(textOf(played(1000), run(101, 959, 0))!, /^1 of the frames 581 to 1061 are not heard/);
  assert.match(textOf(played(1000), run(102, 959, 1))!, /^1 of the frames 101 to 581 are not heard/);
});

Deno.test("frames that are late need not be heard, but keep their places", () => {
  const late = played(9000);
  assert.equal(textOf(late, run(101, 480, 0), run(681, 380, 580)), undefined);
  assert.match(
    textOf(late, run(101, 480, 0), run(681, 380, 480))!,
    /frame 681 is heard -100 frames behind its place/,
  );
});

Deno.test("frames are heard in order, whichever take they are in", () => {
  assert.equal(textOf(played(1000), run(101, 480, 0), run(581, 480, 0, 2)), undefined);
  assert.match(
    textOf(played(1000), run(581, 480, 0), run(101, 480, 0, 2))!,
    /frame 101 is heard after frame 1060/,
  );
});

Deno.test("what a guest takes back is not judged", () => {
  const rewound = played(1000, { ...piece(4000, 700, 100), first: 1061 });
  assert.equal(judgePlayed(rewound, OPEN, [run(101, 600, 0), run(1061, 100, 600)]).frames, 700);
  assert.equal(textOf(rewound, run(101, 700, 0)), undefined);
});

Deno.test("what a hostile guest forges by chance is not heard", () => {
  assert.match(
    textOf(played(1000), run(101, 480, 0), run(581, 1, 7, 2, {} as HostPcm))!,
    /^480 of the frames/,
  );
});

/** READs of 480 frames each, at 0 and 480, of these words. */
function recorded(over: number, ...words: { first: number; count: number }[][]): SegmentRecord {
  const reads = words.map((words, i) => ({ request: { over, status: 0 }, at: 480 * i, frames: 480, words }));
  return { start: START, reads } as unknown as SegmentRecord;
}

Deno.test("recorded frames follow each other, from the device's first frame on", () => {
  const judge = (over: number, ...words: { first: number; count: number }[][]) =>
    judgeRecorded(recorded(over, ...words), OPEN, (origin) => origin === 7);
  const first = [{ first: 7, count: 480 }];
  assert.deepEqual(judge(30_000, first, [{ first: 487, count: 480 }]), { frames: 960 });
  assert.match(
    judge(30_000, first, [{ first: 490, count: 480 }]).problem!.text,
    /frame 480 is the microphone's frame 490/,
  );
  assert.match(judge(30_000, first, [{ first: 0, count: 480 }]).problem!.text, /frame 480 is silence/);
  assert.match(
    judge(30_000, [{ first: 8, count: 480 }]).problem!.text,
    /frame 0 is the microphone's frame 8/,
  );
  // By then the buffer may have been full.
  assert.deepEqual(judge(40_000, [{ first: 9, count: 480 }]), { frames: 0 });
});
