// SPDX-License-Identifier: MIT
/** `top`'s view of two status reports. */
import assert from "node:assert/strict";
import type { StatusReport, StreamReport } from "../../lib/control/protocol.ts";
import { topView } from "../../lib/observe/top_view.ts";

function report(uptimeSeconds: number, streams: Partial<StreamReport>[]): StatusReport {
  const common = { version: 2, pid: 1, residentBytes: 0, cpuSeconds: 200 + uptimeSeconds } as const;
  const shared = streams.find(({ engine }) => engine === "shared")?.engineCpuSeconds ?? 180;
  return { ...common, uptimeSeconds, sharedEngineCpuSeconds: shared, streams: streams as StreamReport[] };
}

const shared = (stream: string, engineCpuSeconds: number) =>
  ({ stream, engine: "shared", engineCpuSeconds }) as const;
const own = (stream: string, engineCpuSeconds: number) =>
  ({ stream, engine: "own", engineCpuSeconds }) as const;

/** Each stream's CPU share in percent, over one second. */
function shares(before: Partial<StreamReport>[], after: Partial<StreamReport>[]): (number | undefined)[] {
  const { streams } = topView(report(101, after), report(100, before), new Date());
  return streams.map(({ cpuPercent }) => cpuPercent && Math.round(cpuPercent));
}

Deno.test("topView() gives a stream that has just come its engine's share of the interval, and not of all time", () => {
  const [first, second] = [shared("domU/0/0/0", 180.5), shared("domU/1/0/0", 180.5)];
  assert.deepEqual(shares([shared("domU/0/0/0", 180)], [first, second]), [50, 50]);
  assert.deepEqual(shares([], [shared("domU/0/0/0", 180.5)]), [50]);
});

Deno.test("topView() counts an engine of its own from its own beginning, also one that took another's place", () => {
  assert.deepEqual(shares([], [own("domU/0/0/0", 0.25)]), [25]);
  assert.deepEqual(shares([own("domU/0/0/0", 40)], [own("domU/0/0/0", 0.25)]), [25]);
  assert.deepEqual(shares([own("domU/0/0/0", 40)], [own("domU/0/0/0", 40.1)]), [10]);
});
