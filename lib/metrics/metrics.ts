// SPDX-License-Identifier: MIT
/**
 * The daemon's metrics for Prometheus: one table, read anew at each scrape. prom-client writes it out; its own counters are not
 * used, since the engine counts already, where it does not cost anything.
 */
import { Registry } from "prom-client";
import { processCpuSeconds } from "../../ffi/libc/cpu_clock.ts";
import type { Backend } from "../daemon/backend.ts";
import { reportStream } from "../daemon/stream/stream_report.ts";
import type { Durations } from "../bridge/durations.ts";
import { STREAM_STATES } from "../stream/stream_state.ts";
import type { StatusRow } from "../bridge/stream_status.ts";
import type { StreamReport } from "../control/protocol.ts";
import { waitingFrames } from "../observe/stream_columns.ts";
import { printable } from "../base/text.ts";
import { VERSION } from "../base/version.ts";

interface Value {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
  /** Where it is not the metric's own: the parts of a histogram. */
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

/** What counters count, and when they go back. */
const SINCE = "Counted since the daemon serves the stream's card, over all its guest's connections.";

/** 64 µs to 4 s, in steps of four: ends of the buckets that the engine counts in. */
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

function histogram(name: string, help: string, durations: (totals: StatusRow) => Durations): Metric {
  const read = ({ labels, totals }: Reading): Value[] => {
    const { below, count, sumMicros } = durations(totals).histogram(BOUNDS_MICROS);
    const bucket = (le: string, value: number) => ({
      metricName: `${name}_bucket`,
      labels: { ...labels, le },
      value,
    });
    return [
      ...BOUNDS_MICROS.map((bound, i) => bucket(String(bound / 1e6), below[i])),
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

function latencySeconds({ report }: Reading): number {
  const rate = report.rate ?? 0;
  return rate > 0 && report.state !== "closed" ? waitingFrames(report) / rate : 0;
}

const PROCESS_START_SECONDS = performance.timeOrigin / 1000;

const METRICS: readonly Metric[] = [
  {
    name: "xsnd_build_info",
    type: "gauge",
    help: "Always 1; its labels say which xsnd serves, on which Deno.",
    read: () => [{ labels: { version: VERSION, deno: Deno.version.deno }, value: 1 }],
  },
  {
    name: "xsnd_streams",
    type: "gauge",
    help: "Streams by what their guests do with them; detached: no guest is connected.",
    read: ({ streams }) =>
      STREAM_STATES.map((state) => ({
        labels: { state },
        value: streams.filter(({ report }) => report.state === state).length,
      })),
  },
  each(
    "counter",
    "xsnd_stream_frames_total",
    "Frames by which the card's pointer has moved on; a guest's STOP moves it on to a multiple of its buffer.",
    ({ totals }) => totals.get("movedFrames"),
  ),
  each(
    "counter",
    "xsnd_stream_late_frames_total",
    "Frames that were not heard in their place, or not at all.",
    ({ totals }) => totals.get("lateFrames"),
  ),
  each(
    "gauge",
    "xsnd_stream_recording",
    "1 while the guest records a device; 0 while the stream is denied, muted or held, too.",
    ({ report }) => Number(report.recording),
  ),
  each(
    "counter",
    "xsnd_stream_starts_total",
    "Times that the card was started, or went on, for the guest.",
    ({ totals }) => totals.get("starts"),
  ),
  {
    name: "xsnd_stream_xruns_total",
    type: "counter",
    help: `Times that a card ran dry or over, by whose doing it was: the guest's, or this host's. ${SINCE}`,
    read: ({ streams }) => streams.flatMap(xruns),
  },
  each(
    "counter",
    "xsnd_stream_xrun_seconds_total",
    "Seconds of sound that xruns have cost: silence in its place, or what was not read.",
    ({ totals }) => totals.get("xrunSeconds"),
  ),
  each(
    "counter",
    "xsnd_stream_events_total",
    "Positions (XENSND_EVT_CUR_POS) that the guest was told.",
    ({ totals }) => totals.get("events"),
  ),
  each(
    "counter",
    "xsnd_stream_protocol_errors_total",
    "Requests that the engine refused, and breaches of the ring's rules.",
    ({ totals }) => totals.get("protocolErrors"),
  ),
  each(
    "counter",
    "xsnd_stream_reconnects_total",
    "Times that the guest's frontend has connected after the first.",
    ({ totals }) => Math.max(0, totals.get("connections") - 1),
  ),
  each(
    "counter",
    "xsnd_stream_card_losses_total",
    "Times that the card went away under the guest.",
    ({ totals }) => totals.get("losses"),
  ),
  each(
    "gauge",
    "xsnd_stream_card_lost",
    "1 while silence is played because the card went away.",
    ({ report }) => report.cardLost === true ? 1 : 0,
  ),
  each(
    "gauge",
    "xsnd_stream_latency_seconds",
    "How much of the guest's buffer waits to be played, or to be read.",
    latencySeconds,
  ),
  histogram(
    "xsnd_stream_request_duration_seconds",
    "From the engine's waking up for a request to its answer; of all requests, OPEN, which opens the card, among them.",
    ({ requestTimes }) => requestTimes,
  ),
  histogram(
    "xsnd_stream_event_delay_seconds",
    "From the card's interrupt to the event that tells the guest of it.",
    ({ eventDelays }) => eventDelays,
  ),
  {
    name: "xsnd_shared_engine_cpu_seconds_total",
    type: "counter",
    help: "Processor time of the engine that serves all streams on kernel cards and dummy cards.",
    read: ({ backend: { sharedEngineCpuSeconds: value } }) => value === undefined ? [] : [{ value }],
  },
  {
    name: "process_cpu_seconds_total",
    type: "counter",
    help: "Processor time of the daemon, with all its engines.",
    read: () => [{ value: processCpuSeconds() }],
  },
  {
    name: "process_resident_memory_bytes",
    type: "gauge",
    help: "Memory of the daemon that is resident.",
    read: () => [{ value: Deno.memoryUsage().rss }],
  },
  {
    name: "process_start_time_seconds",
    type: "gauge",
    help: "When the daemon was started, in seconds since 1970.",
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

/** All metrics as they are now, in Prometheus' text format. */
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
    // What it declares to take are its own classes; what it uses of them is this.
    registry.registerMetric(metric as unknown as Parameters<Registry["registerMetric"]>[0]);
  }
  return registry.metrics();
}
