// SPDX-License-Identifier: MIT
/** The data series behind a trace's charts. */
import assert from "node:assert/strict";
import { XENSND_OP_OPEN, XENSND_OP_TRIGGER_STOP, XENSND_OP_WRITE } from "../../lib/sndif/mod.ts";
import type { TraceHead, TraceRecord } from "../../lib/trace/trace_format.ts";
import { pageOf } from "../../lib/trace/page.ts";
import { pictureOf, type Series } from "../../lib/trace/series.ts";
import { summarize } from "../../lib/trace/summary.ts";
import { stepsOf } from "../../lib/guest/steps.ts";
import { open, position, response, rw, sample, trigger, xrun } from "./trace_records.ts";

const HEAD: TraceHead = {
  stream: "domU/0/0/0",
  domid: 1,
  type: "playback",
  device: "</script><b>",
  uniqueId: "x",
  xsnd: "0.1.0",
  startedAt: "2026-01-01T00:00:00.000Z",
  state: "closed",
};
const RATE = 48000;

const curve = ({ curves }: Series, name: string) =>
  curves.find((one) => one.name === name)!.values.filter((value) => value !== null);

/** Two seconds of a device that runs `ppm` too fast. Every 10 ms the guest gets a position that is 1 ms late. */
function steady(ppm: number): TraceRecord[] {
  const records = [open(0, 0), response(90, 0, XENSND_OP_OPEN, 0)];
  for (let ms = 10; ms <= 2000; ms += 10) {
    const frames = ms * (1 + ppm / 1e6) * RATE / 1000;
    records.push(sample(1e5 + ms * 1000, frames, frames + 960));
    records.push(position(1e5 + ms * 1000 + 1000, 0, Math.round(frames) * 4));
  }
  return records;
}

Deno.test("the deviation is from the card's own clock, whose drift is told apart", () => {
  const picture = pictureOf({ head: HEAD, records: steady(500), truncated: false });
  assert.equal(picture.driftPpm, 500);
  for (const ms of curve(picture.deviation, "pointer")) assert(Math.abs(ms!) < 0.01, `${ms}`);
  for (const ms of curve(picture.deviation, "told")) assert(Math.abs(ms! + 1) < 0.05, `${ms}`);
  for (const ms of curve(picture.fill, "fill")) assert(Math.abs(ms! - 20) < 0.01, `${ms}`);
  assert.deepEqual(curve(picture.roundTrips, "OPEN"), [90]);
});

Deno.test("what STOP does to the position is no deviation, and what comes after it a stretch of its own", () => {
  const records = [
    ...steady(0),
    trigger(2.2e6, 1, XENSND_OP_TRIGGER_STOP),
    position(2.2e6 + 10, 1, 4_000_000),
    sample(2.2e6 + 20, 1_000_000, 1_000_000, 1, "prepared"),
    sample(2.5e6, 1_000_100, 1_001_000, 1),
    sample(2.6e6, 1_000_100 + RATE / 10, 1_006_000, 1),
    sample(2.7e6, 1_000_100 + RATE / 5, 1_011_000, 2),
  ];
  const picture = pictureOf({ head: HEAD, records, truncated: false });
  for (const name of ["told", "pointer"]) {
    for (const ms of curve(picture.deviation, name)) assert(Math.abs(ms!) < 1.1, `${name}: ${ms}`);
  }
  assert.equal(curve(picture.xruns, "guest").at(-1), 2);
});

Deno.test("a picture of nothing is one all the same", () => {
  const { deviation, driftPpm } = pictureOf({ head: HEAD, records: [], truncated: true });
  assert.deepEqual([deviation.times, driftPpm], [[], undefined]);
  assert.match(pageOf({ head: HEAD, records: [], truncated: true }), /too short to tell/);
});

Deno.test("xruns are gaps from when the sound ended, told in words, and a dry card's buffer is empty and not less", () => {
  const frame = { fromFrame: RATE, frames: 0, seconds: 0 };
  const records = [
    ...steady(0),
    // The guest writes nothing for 1.17 s.
    sample(2.2e6, 3 * RATE, 2 * RATE),
    xrun(2.6e6, { ...frame, seconds: 0.5, cause: "guest", isOver: false }),
    xrun(3.27e6, { ...frame, seconds: 1.17, cause: "guest", isOver: true }),
    xrun(4e6, { ...frame, seconds: 0, cause: "host", isOver: false }),
    xrun(4e6, { ...frame, seconds: 0.02, cause: "host", isOver: true }),
    // This xrun lasts to the end of the trace.
    xrun(5e6, { ...frame, seconds: 0.5, cause: "guest", isOver: false }),
    sample(6e6, 9 * RATE, 2 * RATE),
  ];
  const trace = { head: HEAD, records, truncated: false };
  const { gaps, fill } = pictureOf(trace);
  const round = (value: number) => Math.round(value * 1000) / 1000;
  assert.deepEqual(gaps.map(({ from, to, seconds, cause }) => [...[from, to, seconds].map(round), cause]), [
    [2.1, 3.27, 1.17, "guest"],
    [3.98, 4, 0.02, "host"],
    [4.5, 6, 1.5, "guest"],
  ]);
  assert(curve(fill, "fill").every((ms) => ms! >= 0));
  assert.equal(curve(fill, "fill").at(-1), 0);
  const { xruns, hostXruns, xrunSeconds } = summarize(records);
  assert.deepEqual([xruns, hostXruns, xrunSeconds], [3, 1, 2.69]);
  const page = pageOf(trace);
  assert.match(page, /Verdict: the guest was late 2 times, 2670 ms in all; this host was late once, 20 ms\./);
  assert.match(page, /2\.100 to 3\.270 s: the guest was late by 1170 ms; the card played 1170 ms of silence/);
  assert.match(page, /<dt>Xruns<\/dt><dd>3 \(2 the guest’s, 1 this host’s\), 2690 ms<\/dd>/);
});

Deno.test("a trace that begins in the middle of an xrun knows of it by its end", () => {
  const end = { fromFrame: 0, frames: 0, seconds: 3, cause: "guest", isOver: true } as const;
  const { xruns } = summarize([xrun(1e6, end)]);
  assert.equal(xruns, 1);
  assert.deepEqual(pictureOf({ head: HEAD, records: [xrun(1e6, end)], truncated: false }).gaps, [
    { from: 0, to: 1, seconds: 1, cause: "guest", absence: undefined },
  ]);
});

Deno.test("the page asks nobody for anything, and nothing of a trace becomes markup", () => {
  const page = pageOf({ head: HEAD, records: steady(0), truncated: false });
  assert(!page.includes("<b>"), "the device's name");
  assert(!/<(link|img|iframe)|\b(src|href)=|@import|url\(/i.test(page));
  assert.match(page, /Content-Security-Policy" content="default-src 'none'/);
});

Deno.test("stepsOf() pairs requests with answers, and shares no buffer for an OPEN that was refused or is absurd", () => {
  const records = [
    open(1000, 0),
    response(1100, 0, XENSND_OP_OPEN, -22),
    open(1200, 1),
    rw(1300, 2, XENSND_OP_WRITE, 0, 8),
    response(1400, 1, XENSND_OP_OPEN, 0),
    open(1500, 3, 0xffffffff),
  ];
  const steps = stepsOf({ head: HEAD, records, truncated: false });
  assert.deepEqual(
    steps.map(({ time, bufferBytes, status }) => [time, bufferBytes, status]),
    [[0, 0, -22], [200, 8192, 0], [300, 0, undefined], [500, 0, undefined]],
  );
});
