// SPDX-License-Identifier: MIT
/** Which silences count as underruns: the table in underrun.ts, row by row. A frame lasts 1 ms. */
import assert from "node:assert/strict";
import { createStatusTable, StatusRow } from "../../lib/bridge/stream_status.ts";
import { StreamTrace } from "../../lib/engine/stream_trace.ts";
import { TraceRing } from "../../lib/bridge/trace_ring.ts";
import { Underrun } from "../../lib/engine/samples/underrun.ts";
import { Xruns } from "../../lib/engine/samples/xruns.ts";
import { decodeXrun } from "../../lib/trace/trace_format.ts";

const RATE = 1000;
/** End of the guest's samples, in frames. */
const END = 4000;

type Step =
  /** The engine reads the device's position and finds this frame. */
  | { dry: number; isHosts?: boolean }
  /** A WRITE while the device has no samples. Audible from frame `heardAt` on, or never. */
  | { write: true; heardAt?: number }
  | { stop: number; ms: number; hasPlayed?: false; isHosts?: true }
  | { start: number };

interface Case {
  readonly what: string;
  readonly steps: readonly Step[];
  readonly periodFrames?: number;
  /** Xruns, how many of them the host caused, and their total duration in seconds. */
  readonly counts: readonly [xruns: number, host: number, seconds: number];
  /** Whether the xrun still lasts at the end. */
  readonly isOn?: boolean;
}

const CASES: readonly Case[] = [
  { what: "the guest WRITEs", steps: [{ dry: 4001 }, { write: true, heardAt: 4003 }], counts: [1, 0, 0.003] },
  {
    what: "the guest STOPs before the silence is played that plugins have queued ahead of its late samples",
    steps: [{ write: true }, { stop: 3990, ms: 0 }],
    counts: [1, 0, 0],
  },
  {
    what: "the guest WRITEs what has been passed over, and then what has not",
    steps: [{ dry: 4300 }, { write: true }, { dry: 4400 }, { write: true, heardAt: 4500 }],
    counts: [1, 0, 0.5],
  },
  { what: "nothing comes within the grace", steps: [{ dry: 4010 }, { dry: 4509 }], counts: [0, 0, 0] },
  {
    what: "nothing comes for longer than the grace",
    steps: [{ dry: 4010 }, { dry: 4510 }, { dry: 9000 }],
    counts: [1, 0, 0],
    isOn: true,
  },
  {
    what: "two periods are longer than half a second",
    periodFrames: 400,
    steps: [{ dry: 4010 }, { dry: 4809 }, { stop: 4809, ms: 0 }],
    counts: [0, 0, 0],
  },
  {
    what: "a WRITE comes after the grace",
    steps: [{ dry: 4010 }, { dry: 4600 }, { write: true, heardAt: 5000 }],
    counts: [1, 0, 1],
  },
  {
    what: "a STOP comes after the grace, and a START",
    steps: [{ dry: 4010 }, { dry: 4600 }, { stop: 5170, ms: 0 }, { start: 10 }],
    counts: [1, 0, 1.17],
  },
  {
    what: "a drain: STOP within the grace",
    steps: [{ dry: 4010 }, { stop: 4100, ms: 0 }],
    counts: [0, 0, 0],
  },
  {
    what: "a drain, and a START that comes later",
    steps: [{ dry: 4010 }, { stop: 4100, ms: 0 }, { start: 2001 }],
    counts: [0, 0, 0],
  },
  {
    what: "STOP within the grace, and a START in time",
    steps: [{ dry: 4010 }, { stop: 4100, ms: 0 }, { start: 1900 }],
    counts: [1, 0, 2],
  },
  {
    what: "STOP at the very end, before anybody saw the card dry, and a START in time",
    steps: [{ stop: END, ms: 7 }, { start: 27 }],
    counts: [1, 0, 0.02],
  },
  {
    what: "a second START is none of it",
    steps: [{ stop: END, ms: 0 }, { start: 20 }, { start: 40 }],
    counts: [1, 0, 0.02],
  },
  {
    what: "STOP while there are samples, and a START in time",
    steps: [{ stop: END - 1, ms: 0 }, { start: 10 }],
    counts: [0, 0, 0],
  },
  {
    what: "STOP of a stream that has had no samples, and a START in time",
    steps: [{ stop: END, ms: 0, hasPlayed: false }, { start: 10 }],
    counts: [0, 0, 0],
  },
  {
    what: "the engine comes long after the end: the grace begins when it has seen it",
    steps: [{ dry: 6000, isHosts: true }, { dry: 6100 }, { stop: 6200, ms: 0 }],
    counts: [0, 0, 0],
  },
  {
    what: "the guest STOPs right at the end of its samples, which it was told late, and starts again",
    steps: [{ stop: 4000, ms: 0, isHosts: true }, { start: 20 }],
    counts: [1, 1, 0.02],
  },
  {
    what: "the guest STOPs right at the end of its samples, and starts again",
    steps: [{ stop: 4000, ms: 0 }, { start: 20 }],
    counts: [1, 0, 0.02],
  },
  {
    what: "the engine comes late, and nothing comes after that either",
    steps: [{ dry: 6000, isHosts: true }, { dry: 6500 }, { stop: 7000, ms: 0 }],
    counts: [1, 1, 3],
  },
];

Deno.test("a dry card is an underrun by what its guest does next, and counts once", async (t) => {
  for (const { what, steps, periodFrames = 100, counts, isOn = false } of CASES) {
    await t.step(what, () => {
      const status = new StatusRow(createStatusTable(1), 0);
      const ring = new TraceRing();
      const reader = ring.follow();
      const xruns = new Xruns(status, RATE, new StreamTrace(status, ring.address));
      const underrun = new Underrun(xruns, periodFrames);
      for (const step of steps) {
        if ("dry" in step) underrun.dry(END, step.dry, step.isHosts ?? false);
        else if ("write" in step) {
          underrun.late(END, false);
          if (step.heardAt !== undefined) underrun.over(step.heardAt);
        } else if ("stop" in step) {
          underrun.stopped(END, step.stop, step.hasPlayed ?? true, step.isHosts ?? false, step.ms);
        } else underrun.started(step.start);
      }
      const [xrunsCounted, host, seconds] = ["xruns", "hostXruns", "xrunSeconds"].map((name) =>
        status.get(name as "xruns")
      );
      assert.deepEqual([xrunsCounted, host, seconds], counts);
      assert.equal(status.get("xrunIsOn"), isOn ? 1 : 0);
      const records = reader.take().map(decodeXrun);
      assert.deepEqual(
        records.map((record) => record!.isOver),
        counts[0] === 0 ? [] : isOn ? [false] : [false, true],
        "a record when it is counted, and one when it has ended",
      );
      for (const record of records) {
        assert.deepEqual([record!.fromFrame, record!.cause], [END, host === 0 ? "guest" : "host"]);
      }
      if (records.length === 2) assert.equal(records[1]!.seconds, seconds);
    });
  }
});
