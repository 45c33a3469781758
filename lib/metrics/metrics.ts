// SPDX-License-Identifier: MIT
/**
 * The table of the daemon's Prometheus metrics, read at each scrape. prom-client formats the metrics. Its counters are not used,
 * since the engine has its own counters, which cost nothing.
 */
import { Registry } from "prom-client";
import { processCpuSeconds } from "../../ffi/libc/cpu_clock.ts";
import type { Backend } from "../daemon/backend.ts";
import { reportStream } from "../daemon/stream/stream_report.ts";
import type { Durations } from "../bridge/durations.ts";
import { HOLDS, STREAM_STATES } from "../stream/stream_state.ts";
import type { StatusRow } from "../bridge/stream_status.ts";
import type { StreamReport } from "../control/protocol.ts";
import { waitingFrames } from "../observe/stream_columns.ts";
import { printable } from "../base/text.ts";
import { VERSION } from "../base/version.ts";

interface Value {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
  /** The name of a part of a histogram; otherwise the metric's own name. */
  readonly metricName?: string;
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  read(scrape: Scrape): Value[];
}

/** A stream at the moment of a scrape. */
interface Reading {
  readonly labels: Readonly<Record<string, string>>;
  readonly report: StreamReport;
  readonly totals: StatusRow;
}

interface Scrape {
  readonly backend: Backend;
  readonly streams: readonly Reading[];
}

/** The period that counters cover; the end of each counter's help. */
const SINCE = "Counts since the daemon began to serve the stream's card, over all connections of its guest.";

/** Upper bounds of histogram buckets, 64 µs to 1 s, each four times the former; bounds of the engine's buckets too. */
const BOUNDS_MICROS = [6, 8, 10, 12, 14, 16, 18, 20].map((power) => 2 ** power);

/** A metric with a value for each stream. */
function each(
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: (reading: Reading) => number,
): Metric {
  return {
    name,
    type,
    help: type === "counter" ? `${help} ${SINCE}` : help,
    read: ({ streams }) => streams.map((reading) => ({ labels: reading.labels, value: value(reading) })),
  };
}

/** A metric with a value for each stream and each of `values`: 1 for the one that the stream has, 0 for the others. */
function which(
  name: string,
  help: string,
  label: string,
  values: readonly string[],
  value: (report: StreamReport) => string,
): Metric {
  const read = ({ labels, report }: Reading): Value[] =>
    values.map((each) => ({ labels: { ...labels, [label]: each }, value: Number(value(report) === each) }));
  return { name, type: "gauge", help, read: ({ streams }) => streams.flatMap(read) };
}

function histogram(name: string, help: string, durations: (totals: StatusRow) => Durations): Metric {
  const read = ({ labels, totals }: Reading): Value[] => {
    const { below, count, sumMicros } = durations(totals).histogram(BOUNDS_MICROS);
    const bucket = (le: string, value: number) => ({
      metricName: `${name}_bucket`,
      labels: { ...labels, le },
      value,
    });
    return [
      ...BOUNDS_MICROS.map((bound, i) => bucket(String(bound / 1e6), below[i]!)),
      bucket("+Inf", count),
      { metricName: `${name}_sum`, labels, value: sumMicros / 1e6 },
      { metricName: `${name}_count`, labels, value: count },
    ];
  };
  return { name, type: "histogram", help: `${help} ${SINCE}`, read: ({ streams }) => streams.flatMap(read) };
}

function xruns({ labels, totals }: Reading): Value[] {
  const [all, host] = [totals.get("xruns"), totals.get("hostXruns")];
  return [
    { labels: { ...labels, cause: "guest" }, value: all - host },
    { labels: { ...labels, cause: "host" }, value: host },
  ];
}

/** What stood in the place of sound. The frames that the device's pointer has advanced are these and those that were heard. */
function silence({ labels, totals }: Reading): Value[] {
  const host = totals.get("hostSilenceFrames");
  return [
    { labels: { ...labels, cause: "guest" }, value: totals.get("silenceFrames") - host },
    { labels: { ...labels, cause: "host" }, value: host },
    { labels: { ...labels, cause: "stand_in" }, value: totals.get("standInFrames") },
    { labels: { ...labels, cause: "denied" }, value: totals.get("deniedFrames") },
  ];
}

function latencySeconds({ report }: Reading): number {
  const rate = report.rate ?? 0;
  return rate > 0 && report.state !== "closed" ? waitingFrames(report) / rate : 0;
}

const PROCESS_START_SECONDS = performance.timeOrigin / 1000;

const METRICS: readonly Metric[] = [
  {
    name: "xsnd_build_info",
    type: "gauge",
    help: "Always 1; the labels are the versions of xsnd and Deno.",
    read: () => [{ labels: { version: VERSION, deno: Deno.version.deno }, value: 1 }],
  },
  {
    name: "xsnd_streams",
    type: "gauge",
    help: "Streams by state; detached: no guest is connected.",
    read: ({ streams }) =>
      STREAM_STATES.map((state) => ({
        labels: { state },
        value: streams.filter(({ report }) => report.state === state).length,
      })),
  },
  each(
    "counter",
    "xsnd_stream_frames_total",
    "Frames that the device's pointer has advanced.",
    ({ totals }) => totals.get("movedFrames"),
  ),
  each(
    "counter",
    "xsnd_stream_transferred_frames_total",
    "Frames that the guest has written or read.",
    ({ totals }) => totals.get("transferredFrames"),
  ),
  each(
    "counter",
    "xsnd_stream_heard_frames_total",
    "Frames of sound that the device has played or recorded.",
    ({ totals }) => totals.get("heardFrames"),
  ),
  {
    name: "xsnd_stream_silence_frames_total",
    type: "counter",
    help: "Frames of silence in the place of sound, by cause: the guest or the host was late, a stand-in " +
      `replaced the device, or the stream was denied. ${SINCE}`,
    read: ({ streams }) => streams.flatMap(silence),
  },
  each(
    "counter",
    "xsnd_stream_discarded_frames_total",
    "Frames that waited to be played or read when the guest stopped or closed the stream.",
    ({ totals }) => totals.get("discardedFrames"),
  ),
  each(
    "counter",
    "xsnd_stream_late_frames_total",
    "Frames that were written after the device had passed them, or not read in time.",
    ({ totals }) => totals.get("lateFrames"),
  ),
  each(
    "gauge",
    "xsnd_stream_recording",
    "1 while the guest records a device; 0 otherwise, and while the stream is denied, muted or held.",
    ({ report }) => Number(report.recording),
  ),
  which(
    "xsnd_stream_state",
    "1 for the state that the stream is in.",
    "state",
    STREAM_STATES,
    ({ state }) => state,
  ),
  which(
    "xsnd_stream_hold",
    "1 for what an operator's trigger has made of the stream; none: it is not held.",
    "hold",
    HOLDS,
    ({ hold }) => hold,
  ),
  each(
    "gauge",
    "xsnd_stream_muted",
    "1 while an operator mutes the stream.",
    ({ report }) => Number(report.muted),
  ),
  each(
    "gauge",
    "xsnd_stream_volume_decibels",
    "The operator's volume, in dB on top of the guest's own.",
    ({ report }) => report.volume,
  ),
  each(
    "gauge",
    "xsnd_stream_denied",
    "1 while the configuration denies the stream.",
    ({ report }) => Number(report.denied),
  ),
  each(
    "counter",
    "xsnd_stream_starts_total",
    "Times that the device was started or resumed for the guest.",
    ({ totals }) => totals.get("starts"),
  ),
  {
    name: "xsnd_stream_xruns_total",
    type: "counter",
    help: `Underruns and overruns of the device, by cause: the guest or the host. ${SINCE}`,
    read: ({ streams }) => streams.flatMap(xruns),
  },
  each(
    "counter",
    "xsnd_stream_xrun_seconds_total",
    "Seconds of sound lost to xruns: silence played, or sound not recorded.",
    ({ totals }) => totals.get("xrunSeconds"),
  ),
  each(
    "counter",
    "xsnd_stream_events_total",
    "Position events (XENSND_EVT_CUR_POS) sent to the guest.",
    ({ totals }) => totals.get("events"),
  ),
  each(
    "counter",
    "xsnd_stream_protocol_errors_total",
    "Requests that the engine refused, and violations of the ring protocol.",
    ({ totals }) => totals.get("protocolErrors"),
  ),
  each(
    "counter",
    "xsnd_stream_reconnects_total",
    "Connections of the guest's frontend after the first.",
    ({ totals }) => Math.max(0, totals.get("connections") - 1),
  ),
  each(
    "counter",
    "xsnd_stream_card_losses_total",
    "Times that the device disappeared while the guest used it.",
    ({ totals }) => totals.get("losses"),
  ),
  each(
    "counter",
    "xsnd_stream_card_stalls_total",
    "Times that the device stood still while the guest used it.",
    ({ totals }) => totals.get("stalls"),
  ),
  each(
    "gauge",
    "xsnd_stream_card_lost",
    "1 while silence replaces a device that disappeared or stands still.",
    ({ report }) => report.cardLost === true ? 1 : 0,
  ),
  each(
    "gauge",
    "xsnd_stream_latency_seconds",
    "Sound in the guest's buffer that waits to be played or read, in seconds.",
    latencySeconds,
  ),
  histogram(
    "xsnd_stream_request_duration_seconds",
    "Time from the engine's wake-up for a request to its response; includes OPEN, which opens the device.",
    ({ requestTimes }) => requestTimes,
  ),
  histogram(
    "xsnd_stream_event_delay_seconds",
    "Time from the device's interrupt to the position event for the guest.",
    ({ eventDelays }) => eventDelays,
  ),
  {
    name: "xsnd_shared_engine_cpu_seconds_total",
    type: "counter",
    help: "Processor time of the shared engine, which serves all streams on kernel PCMs and dummy PCMs.",
    read: ({ backend: { sharedEngineCpuSeconds: value } }) => value === undefined ? [] : [{ value }],
  },
  {
    name: "process_cpu_seconds_total",
    type: "counter",
    help: "Processor time of the daemon, including all engines.",
    read: () => [{ value: processCpuSeconds() }],
  },
  {
    name: "process_resident_memory_bytes",
    type: "gauge",
    help: "Resident memory of the daemon.",
    read: () => [{ value: Deno.memoryUsage().rss }],
  },
  {
    name: "process_start_time_seconds",
    type: "gauge",
    help: "Start time of the daemon, in seconds since 1970.",
    read: () => [{ value: PROCESS_START_SECONDS }],
  },
];

function readings(backend: Backend): Reading[] {
  return backend.streams.map((stream) => ({
    labels: {
      domain: printable(stream.name.slice(0, stream.name.indexOf("/"))),
      stream: printable(stream.name),
      type: stream.policy.type,
    },
    report: reportStream(stream),
    totals: stream.counters.totals(),
  }));
}

export const CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** The current metrics in Prometheus' text format. */
export function metricsText(backend: Backend): Promise<string> {
  const scrape = { backend, streams: readings(backend) };
  const registry = new Registry();
  for (const { name, help, type, read } of METRICS) {
    const metric = {
      name,
      help,
      type,
      aggregator: "sum",
      get: () => ({ name, help, type, values: read(scrape) }),
    };
    // registerMetric() declares prom-client's own classes, and uses only these properties.
    registry.registerMetric(metric as unknown as Parameters<Registry["registerMetric"]>[0]);
  }
  return registry.metrics();
}
