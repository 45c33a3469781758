// SPDX-License-Identifier: MIT
/** `top`'s view of two status reports. */
import assert from "node:assert/strict";
import type { StatusReport, StreamReport } from "../../lib/control/protocol.ts";
import { STREAM_COLUMNS } from "../../lib/observe/stream_columns.ts";
import { topView } from "../../lib/observe/top_view.ts";

function report(uptimeSeconds: number, streams: Partial<StreamReport>[]): StatusReport {
  const common = { version: 2, pid: 1, residentBytes: 0, cpuSeconds: 200 + uptimeSeconds } as const;
  const shared = streams.find(({ engine }) => engine === "shared")?.engineCpuSeconds ?? 180;
  return { ...common, uptimeSeconds, sharedEngineCpuSeconds: shared, streams: streams as StreamReport[] };
}

const shared = (stream: string, engineCpuSeconds: number, requests = 10, events = 0) =>
  ({ stream, engine: "shared", engineCpuSeconds, requests, events }) as const;
const own = (stream: string, engineCpuSeconds: number) =>
  ({ stream, engine: "own", engineCpuSeconds }) as const;

/** Each stream's CPU share in percent, over one second. */
function shares(before: Partial<StreamReport>[], after: Partial<StreamReport>[]): (number | undefined)[] {
  const { streams } = topView(report(101, after), report(100, before), new Date());
  return streams.map(({ cpuPercent }) => cpuPercent && Math.round(cpuPercent));
}

Deno.test("topView() gives a stream that has just come its engine's share of the interval, and not of all time", () => {
  const [first, second] = [shared("domU/0/0/0", 180.5, 20), shared("domU/1/0/0", 180.5)];
  assert.deepEqual(shares([shared("domU/0/0/0", 180)], [first, second]), [25, 25]);
  assert.deepEqual(shares([], [shared("domU/0/0/0", 180.5)]), [50]);
});

Deno.test("topView() shares the time of a shared engine out by what each stream has asked of it", () => {
  const before = [
    shared("a/0/0/0", 180, 100, 50),
    shared("b/0/0/0", 180, 7, 7),
    shared("c/0/0/0", 180, 500, 500),
  ];
  const after = [
    shared("a/0/0/0", 180.5, 104, 50),
    shared("b/0/0/0", 180.5, 7, 17),
    // The card was made anew.
    shared("c/0/0/0", 180.5, 8, 10),
  ];
  assert.deepEqual(shares(before, after), [10, 10, 30]);
  const idle = after.map((report) => ({ ...report, engineCpuSeconds: 181 }));
  assert.deepEqual(shares(after, idle), [0, 0, 0], "nobody has asked for anything");
});

Deno.test("topView() counts an engine of its own from its own beginning, also one that took another's place", () => {
  assert.deepEqual(shares([], [own("domU/0/0/0", 0.25)]), [25]);
  assert.deepEqual(shares([own("domU/0/0/0", 40)], [own("domU/0/0/0", 0.25)]), [25]);
  assert.deepEqual(shares([own("domU/0/0/0", 40)], [own("domU/0/0/0", 40.1)]), [10]);
});

Deno.test("WAIT% is the delay of the 99th percentile as a part of the period, of an open stream that is told anything", () => {
  const running = { state: "running", rate: 48_000, periodFrames: 480 } as const;
  const cell = (report: Partial<StreamReport>) =>
    STREAM_COLUMNS.wait.cell({ report: report as StreamReport });
  const eventDelayMicros = { p50: 1, p99: 250, max: 9000 };
  assert.equal(cell({ ...running, eventDelayMicros }), "2.5");
  assert.equal(cell(running), "-");
  assert.equal(cell({ ...running, eventDelayMicros, periodFrames: 0 }), "-");
  assert.equal(cell({ ...running, eventDelayMicros, state: "closed" }), "-");
});
