// SPDX-License-Identifier: MIT
/** The columns of the stream tables of `status` and `top`. */
import type { StreamReport } from "../control/protocol.ts";

/** A stream as a table shows it. */
export interface Seen {
  readonly report: StreamReport;
  /** Processor time that the stream has cost since the last view, in percent of a processor. Of a shared engine's, an estimate. */
  readonly cpuPercent?: number;
}

export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
  cell(seen: Seen): string;
}

/** The content of a cell without a value. */
const NONE = "-";

/** Whether the guest has the stream open, so that the stream has parameters. */
const isOpen = ({ state }: StreamReport) => state === "prepared" || state === "running" || state === "paused";

function column(title: string, cell: (report: StreamReport, seen: Seen) => string): Column {
  return { title, cell: (seen) => cell(seen.report, seen) };
}

/** A column of numbers that only an open stream has. */
function numberColumn(title: string, cell: (report: StreamReport) => string): Column {
  return { title, isNumber: true, cell: ({ report }) => isOpen(report) ? cell(report) : NONE };
}

/** A column of a counter, which every stream has, open or not. */
function counterColumn(title: string, name: "xruns" | "events"): Column {
  return { title, isNumber: true, cell: ({ report }) => String(report[name]) };
}

type NumberField = {
  [K in keyof StreamReport]-?: StreamReport[K] extends number | undefined ? K : never;
}[keyof StreamReport];

/** A number of the report; 0 where the stream has none. */
const counter = (report: StreamReport, name: NumberField) => report[name] ?? 0;

/**
 * Frames in the guest's buffer that are written and not yet played, or recorded and not yet read: the latency between guest and
 * device.
 */
export function waitingFrames(report: StreamReport): number {
  const ahead = counter(report, "guestFrames") - counter(report, "positionFrames");
  return Math.max(0, report.type === "playback" ? ahead : -ahead);
}

const tenths = (value: number) => value.toFixed(value < 99.95 ? 1 : 0);

/** `1:02:03`. */
export function clockTime(seconds: number): string {
  const whole = Math.floor(seconds);
  const two = (number: number) => String(number).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

/** Says of a muted stream that it is muted, and when the mute ends by itself. */
export function muteText(mutedUntil: string | undefined): string {
  return mutedUntil === undefined ? "muted" : `muted until ${mutedUntil.slice(0, 19)}Z`;
}

/** The reasons why the sound differs from the guest's: operator's hold, policy, lost device, volume. */
function notes({ hold, volume, muted, mutedUntil, denied, cardLost, cardStalled }: StreamReport): string {
  return [
    hold === "none" ? "" : `${hold} by operator`,
    denied ? "denied" : "",
    cardStalled ? "card stands still" : cardLost ? "card lost" : "",
    muted ? muteText(mutedUntil) : volume === 0 ? "" : `${volume} dB`,
  ].filter((note) => note !== "").join(", ");
}

export const STREAM_COLUMNS = {
  stream: column("STREAM", ({ stream }) => stream),
  type: column("TYPE", ({ type }) => type),
  /** An operator's hold takes precedence over the guest's state. */
  state: column("STATE", ({ state, hold }) => hold === "none" ? state : "held"),
  rate: numberColumn("RATE", (report) => String(counter(report, "rate"))),
  format: column("FORMAT", (report) => isOpen(report) ? report.format ?? NONE : NONE),
  channels: numberColumn("CH", (report) => String(counter(report, "channels"))),
  period: numberColumn("PERIOD", (report) => String(counter(report, "periodFrames"))),
  fill: numberColumn("FILL", (report) => {
    const share = waitingFrames(report) / counter(report, "bufferFrames");
    return Number.isFinite(share) ? `${Math.round(100 * share)}%` : NONE;
  }),
  /** The content of the buffer in ms. */
  latency: numberColumn("LAT", (report) => {
    const ms = 1000 * waitingFrames(report) / counter(report, "rate");
    return Number.isFinite(ms) ? tenths(ms) : NONE;
  }),
  /** The position since OPEN, as a time. */
  position: numberColumn("POSITION", (report) => {
    const seconds = counter(report, "positionFrames") / counter(report, "rate");
    return Number.isFinite(seconds) ? clockTime(seconds) : NONE;
  }),
  xruns: counterColumn("XRUNS", "xruns"),
  /** How late the guest is told, as a part of its period. */
  wait: numberColumn("WAIT%", (report) => {
    const share = (report.eventDelayMicros?.p99 ?? NaN) * counter(report, "rate") /
      counter(report, "periodFrames") / 1e6;
    return Number.isFinite(share) ? tenths(100 * share) : NONE;
  }),
  /** A star marks an estimate: the engine serves other streams, too. */
  cpu: {
    title: "CPU%",
    isNumber: true,
    cell: ({ report, cpuPercent }) =>
      cpuPercent === undefined ? NONE : `${tenths(cpuPercent)}${report.engine === "shared" ? "*" : ""}`,
  },
  events: counterColumn("EVENTS", "events"),
  device: column("DEVICE", ({ device }) => device),
  notes: column("NOTES", notes),
} as const satisfies Record<string, Column>;
