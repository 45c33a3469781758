// SPDX-License-Identifier: MIT
/** The view of `xsnd top`, computed from the last two status reports. */
import type { StatusReport, StreamReport } from "../control/protocol.ts";
import { clockTime, type Column, type Seen, STREAM_COLUMNS as COLUMN } from "./stream_columns.ts";

/** The columns; a narrow terminal does without some. */
export const TOP_COLUMNS: readonly Column[] = [
  COLUMN.stream,
  COLUMN.state,
  COLUMN.rate,
  COLUMN.format,
  COLUMN.channels,
  COLUMN.period,
  COLUMN.fill,
  COLUMN.latency,
  COLUMN.position,
  COLUMN.xruns,
  COLUMN.wait,
  COLUMN.cpu,
  COLUMN.type,
  COLUMN.device,
  COLUMN.notes,
  COLUMN.events,
];

export interface TopView {
  /** Two lines about the daemon. */
  readonly header: readonly string[];
  readonly streams: readonly Seen[];
}

/**
 * What a request and an event cost an engine, in µs, the device's interrupt included: as measured for `guest_budget.ts`. The sound itself
 * costs next to nothing.
 */
const [REQUEST_MICROS, EVENT_MICROS] = [25, 10];

/** @param before the report of the last view; without it, processor times are averages since the daemon's start */
export function topView(status: StatusReport, before: StatusReport | undefined, time: Date): TopView {
  const seconds = status.uptimeSeconds - (before?.uptimeSeconds ?? 0);
  const percent = (now?: number, then = 0) => now === undefined ? undefined : 100 * (now - then) / seconds;
  const earlier = new Map(before?.streams.map((stream) => [stream.stream, stream]));
  const works = status.streams.map((report) =>
    report.engine === "shared" ? workSince(report, earlier.get(report.stream)) : 0
  );
  const all = works.reduce((sum, work) => sum + work, 0);
  const streams = status.streams.map((report, index) => {
    const engine = percent(
      report.engineCpuSeconds,
      engineSecondsBefore(report, earlier.get(report.stream), before),
    );
    const part = report.engine !== "shared" ? 1 : all === 0 ? 0 : works[index]! / all;
    return { report, cpuPercent: engine === undefined ? undefined : engine * part };
  });
  return { header: header(status, percent, before, time), streams };
}

/** What the stream has had its engine do since the report `was`, in µs. */
function workSince(now: StreamReport, was: StreamReport | undefined): number {
  const since = (name: "requests" | "events") => {
    const then = was?.[name] ?? 0;
    // A card that was made anew counts from 0.
    return now[name] < then ? now[name] : now[name] - then;
  };
  return since("requests") * REQUEST_MICROS + since("events") * EVENT_MICROS;
}

/** Processor seconds of the stream's engine in the report `before`: 0 for an own engine that did not exist or that was another. */
function engineSecondsBefore(
  { engine, engineCpuSeconds = 0 }: StreamReport,
  was: StreamReport | undefined,
  before: StatusReport | undefined,
): number | undefined {
  if (engine === "shared") return before?.sharedEngineCpuSeconds;
  const then = was?.engine === "own" ? was.engineCpuSeconds ?? 0 : 0;
  return then > engineCpuSeconds ? 0 : then;
}

function header(
  status: StatusReport,
  percent: (now?: number, then?: number) => number | undefined,
  before: StatusReport | undefined,
  time: Date,
): string[] {
  const { pid, uptimeSeconds, residentBytes, streams } = status;
  const running = streams.filter(({ state }) => state === "running").length;
  const share = (name: "cpuSeconds" | "sharedEngineCpuSeconds") =>
    `${percent(status[name], before?.[name])?.toFixed(1) ?? "?"}%`;
  return [
    `${time.toISOString().slice(0, 19)}Z daemon ${pid}, up ${clockTime(uptimeSeconds)}, ` +
    `${Math.round(residentBytes / 1e6)} MB; ${streams.length} streams, ${running} running`,
    `CPU: daemon ${share("cpuSeconds")}, of it the shared engine ${share("sharedEngineCpuSeconds")} ` +
    "(*: a stream's part of that)",
  ];
}
