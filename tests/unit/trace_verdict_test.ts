// SPDX-License-Identifier: MIT
/** Why a trace's sound stuttered, in words. */
import assert from "node:assert/strict";
import { XENSND_OP_READ, XENSND_OP_TRIGGER_STOP, XENSND_OP_WRITE } from "../../lib/sndif/mod.ts";
import type { TraceRecord } from "../../lib/trace/trace_format.ts";
import { findingLine, judge } from "../../lib/trace/verdict.ts";
import { rw, sample, trigger, xrun } from "./trace_records.ts";

const frame = { fromFrame: 0, frames: 0 };

function xrunOf(cause: "guest" | "host", from: number, seen: number, to: number): TraceRecord[] {
  return [
    xrun(seen * 1e6, { ...frame, cause, seconds: seen - from, isOver: false }),
    xrun(to * 1e6, { ...frame, cause, seconds: to - from, isOver: true }),
  ];
}

const write = (time: number) => rw(time * 1e6, 1, XENSND_OP_WRITE, 0, 4096);
const read = (time: number) => rw(time * 1e6, 1, XENSND_OP_READ, 0, 4096);
const running = (time: number, more = {}) => sample(time * 1e6, 0, 0, 0, "running", more);

const CASES: { what: string; type?: "capture"; records: TraceRecord[]; summary: string; lines: string[] }[] =
  [
    {
      what: "a guest that writes too late is named with the WRITEs before and after",
      records: [
        write(12),
        write(12.012),
        ...[xrunOf("guest", 12.16, 12.2, 12.3)].flatMap(([begin, end]) => [begin!, write(12.3), end!]),
      ],
      summary: "the guest was late once, 140 ms",
      lines: [
        "12.160 to 12.300 s: the guest was late by 140 ms: no WRITE between 12.012 and 12.300 s; " +
        "the card played 140 ms of silence",
      ],
    },
    {
      what: "a guest whose next WRITE comes before the xrun is noticed",
      records: [write(1), write(1.2), ...xrunOf("guest", 1.199, 1.2, 1.2)],
      summary: "the guest was late once, 1 ms",
      lines: [
        "1.199 to 1.200 s: the guest was late by 1 ms: no WRITE between 1.000 and 1.200 s; the card played 1 ms of silence",
      ],
    },
    {
      what: "a guest that writes late, which the engine notices with the WRITE",
      records: [
        write(12.012),
        write(12.3),
        xrun(12.3e6, { ...frame, cause: "guest", seconds: 0, isOver: false }),
        xrun(12.3e6, { ...frame, cause: "guest", seconds: 0.14, isOver: true }),
      ],
      summary: "the guest was late once, 140 ms",
      lines: [
        "12.160 to 12.300 s: the guest was late by 140 ms: no WRITE between 12.012 and 12.300 s; " +
        "the card played 140 ms of silence",
      ],
    },
    {
      what: "a guest that stops, fills its buffer by many WRITEs and starts again",
      records: [
        write(12.012),
        xrunOf("guest", 12.16, 12.2, 12.8)[0]!,
        trigger(12.3e6, 2, XENSND_OP_TRIGGER_STOP),
        ...Array.from({ length: 20 }, (_, i) => write(12.7 + i / 1000)),
        xrunOf("guest", 12.16, 12.2, 12.8)[1]!,
      ],
      summary: "the guest was late once, 640 ms",
      lines: [
        "12.160 to 12.800 s: the guest was late by 640 ms: no WRITE between 12.012 s and its STOP at 12.300 s; " +
        "the card played 640 ms of silence",
      ],
    },
    {
      what: "a host's stall that ends before the xrun begins",
      records: [
        ...[1, 1.2, 1.21, 1.22, 1.23].map((time) => running(time)),
        ...xrunOf("host", 1.235, 1.24, 1.255),
      ],
      summary: "this host was late once, 20 ms",
      lines: [
        "1.235 to 1.255 s: this host was late by 20 ms: no look at the card between 1.000 and 1.200 s; " +
        "the card played 20 ms of silence",
      ],
    },
    {
      what: "a host whose looks do not show why",
      records: [
        ...[1, 1.005, 1.01, 1.015].map((time) => running(time)),
        ...xrunOf("host", 0.915, 1.015, 1.018),
      ],
      summary: "this host was late once, 103 ms",
      lines: ["0.915 to 1.018 s: this host was late by 103 ms; the card played 103 ms of silence"],
    },
    {
      what: "a guest that writes no more",
      records: [write(1), xrunOf("guest", 2, 2.1, 3)[0]!, running(5)],
      summary: "the guest was late once, 3000 ms",
      lines: [
        "2.000 to 5.000 s: the guest was late by 3000 ms: no WRITE after 1.000 s; the card played 3000 ms of silence",
      ],
    },
    {
      what: "a host that looks too late is named with its looks",
      records: [running(1), write(1.001), ...xrunOf("host", 1.03, 1.05, 1.05), running(1.05)],
      summary: "this host was late once, 20 ms",
      lines: [
        "1.030 to 1.050 s: this host was late by 20 ms: no look at the card between 1.000 and 1.050 s; " +
        "the card played 20 ms of silence",
      ],
    },
    {
      what: "a guest that does not read loses sound",
      type: "capture",
      records: [read(1), xrunOf("guest", 2, 2, 2.5)[0]!, read(2.5), xrunOf("guest", 2, 2, 2.5)[1]!],
      summary: "the guest was late once, 500 ms",
      lines: [
        "2.000 to 2.500 s: the guest was late by 500 ms: no READ between 1.000 and 2.500 s; 500 ms of sound are lost",
      ],
    },
    {
      what: "a card that is away, and an operator's hold, with the xruns of their time",
      records: [
        running(1),
        running(2, { cardLost: true }),
        running(3, { cardLost: true }),
        running(4),
        running(5, { hold: "paused" }),
        running(6, { hold: "stopped" }),
        running(7),
        ...xrunOf("guest", 8, 8, 8.5),
        ...xrunOf("guest", 9, 9, 9.25),
      ],
      summary: "the guest was late 2 times, 750 ms in all; the card was away once, 2000 ms; " +
        "an operator held the stream 2 times, 2000 ms in all",
      lines: [
        "2.000 to 4.000 s: the card was lost, busy, or did not move: the guest had silence",
        "5.000 to 6.000 s: an operator had the stream paused",
        "6.000 to 7.000 s: an operator had the stream stopped",
        "8.000 to 8.500 s: the guest was late by 500 ms; the card played 500 ms of silence",
        "9.000 to 9.250 s: the guest was late by 250 ms; the card played 250 ms of silence",
      ],
    },
    {
      what: "a hold or a lost card of a stream that its guest does not run is heard by nobody",
      records: [
        sample(1e6, 0, 0, 0, "prepared", { hold: "paused", cardLost: true }),
        sample(2e6, 0, 0, 0, "closed"),
      ],
      summary: "no xrun, no lost card and no operator's hold",
      lines: [],
    },
  ];

Deno.test("a verdict says who was late, by how much, and what shows it", async (t) => {
  for (const { what, type = "playback", records, summary, lines } of CASES) {
    await t.step(what, () => {
      const verdict = judge(type, records);
      assert.deepEqual([verdict.summary, verdict.findings.map(findingLine)], [summary, lines]);
    });
  }
});

Deno.test("a guest that is late without end has a verdict of 1000 findings, and all of them in its sum", () => {
  const records = Array.from({ length: 3000 }, (_, i) => xrunOf("guest", i, i + 0.5, i + 0.5)).flat();
  const { summary, findings } = judge("playback", records);
  assert.equal(summary, "the guest was late 3000 times, 1500000 ms in all");
  assert.equal(findings.length, 1000);
});
