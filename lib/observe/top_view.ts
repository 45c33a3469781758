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

/** @param before the report of the last view; without it, processor times are averages since the daemon's start */
export function topView(status: StatusReport, before: StatusReport | undefined, time: Date): TopView {
  const seconds = status.uptimeSeconds - (before?.uptimeSeconds ?? 0);
  const percent = (now?: number, then = 0) => now === undefined ? undefined : 100 * (now - then) / seconds;
  const earlier = new Map(before?.streams.map((stream) => [stream.stream, stream]));
  const streams = status.streams.map((report) => ({
    report,
    cpuPercent: percent(
      report.engineCpuSeconds,
      engineSecondsBefore(report, earlier.get(report.stream), before),
    ),
  }));
  return { header: header(status, percent, before, time), streams };
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
    "(*: all its streams together)",
  ];
}
