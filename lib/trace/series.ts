// SPDX-License-Identifier: MIT
/** Turns a trace into the curves of its page. Pure: records in, numbers out. */
import { STREAM_STATES } from "../stream/stream_state.ts";
import {
  formatByCode,
  formatByName,
  type RequestView,
  type SampleFormat,
  XENSND_OP_CLOSE,
  XENSND_OP_OPEN,
  XENSND_OP_TRIGGER,
  XENSND_OP_TRIGGER_START,
} from "../sndif/mod.ts";
import { decodePosition, type PositionSample, type TraceFile } from "./trace_format.ts";
import { operationName } from "./names.ts";
import { Decoder } from "./packets.ts";
import { type Gap, gapsOf } from "./trace_xruns.ts";

/** Curves over common times, in seconds since the trace began. null: the curve has no value then. Lines end where all are null. */
export interface Series {
  readonly times: number[];
  readonly curves: readonly { readonly name: string; readonly values: (number | null)[] }[];
}

export interface Picture {
  /** How far the positions told to the guest, and the device's pointer, are ahead of the device's clock, in ms. */
  readonly deviation: Series;
  /** Sound between guest and device, and the guest's buffer, in ms. */
  readonly fill: Series;
  /** From a request to its response, in µs; a curve an operation. */
  readonly roundTrips: Series;
  /** Xruns since the guest connected: the guest's and the host's. */
  readonly xruns: Series;
  /** The times of the xruns. */
  readonly gaps: readonly Gap[];
  /** How much faster than its nominal rate the device runs, in parts per million. Undefined for a trace that is too short. */
  readonly driftPpm: number | undefined;
}

const RUNNING = STREAM_STATES.indexOf("running");
/** A shorter run says nothing of the device's clock. */
const MIN_SECONDS = 0.1;

/** A stretch in which the device ran without a pause, a restart or other parameters. */
interface Run {
  readonly rate: number;
  readonly frameBytes: number;
  readonly bufferFrames: number;
  readonly samples: { time: number; sample: PositionSample }[];
  readonly told: { time: number; frames: number }[];
}

type Parameters = Pick<Run, "rate" | "frameBytes" | "bufferFrames">;

export function pictureOf(trace: TraceFile): Picture {
  const { runs, roundTrips, samples } = scan(trace);
  const clocked = runs.map((run) => ({ run, clock: clockOf(run) }));
  const [longest] = clocked.toSorted((a, b) => lengthOf(b.run) - lengthOf(a.run));
  const isLong = longest !== undefined && lengthOf(longest.run) >= 1;
  return {
    deviation: deviationOf(clocked),
    fill: fillOf(runs, trace.head.type),
    roundTrips: series(roundTrips),
    xruns: xrunsOf(samples),
    gaps: gapsOf(trace.records),
    driftPpm: isLong ? Math.round((longest.clock.rate / longest.run.rate - 1) * 1e6) : undefined,
  };
}

function scan({ head, records }: TraceFile) {
  const decoder = new Decoder();
  const runs: Run[] = [];
  const samples: { time: number; sample: PositionSample }[] = [];
  const roundTrips: { time: number; name: string; value: number }[] = [];
  let parameters: Parameters | undefined = head.parameters && {
    ...head.parameters,
    frameBytes: frameBytesOf(formatByName(head.parameters.format), head.parameters.channels),
  };
  let run: Run | undefined;
  for (const record of records) {
    const time = record.time / 1e6;
    const decoded = decoder.next(record);
    const sample = decodePosition(record);
    if (sample !== undefined) {
      samples.push({ time, sample });
      const runsNow = sample.state === RUNNING && sample.hold === 0 && parameters !== undefined;
      // A pointer that has not moved yet says nothing of the clock.
      const hasMoved = sample.positionFrames !== samples.at(-2)?.sample.positionFrames;
      if (!runsNow) run = undefined;
      else if (run !== undefined || hasMoved) {
        if (run === undefined) runs.push(run = { ...parameters!, samples: [], told: [] });
        run.samples.push({ time, sample });
      }
    } else if (decoded.kind === "request") {
      // STOP moves the position to the end of the buffer: until the device runs again, positions say nothing of its clock.
      if (endsRun(decoded.request)) run = undefined;
    } else if (decoded.kind === "event") {
      if (run !== undefined) run.told.push({ time, frames: decoded.event.position / run.frameBytes });
    } else if (decoded.kind === "response" && decoded.asked !== undefined) {
      const { request, record: asked } = decoded.asked;
      const value = record.time - asked.time;
      roundTrips.push({ time: asked.time / 1e6, name: operationName(request.operation), value });
      if (request.operation === XENSND_OP_OPEN && decoded.response.status === 0) {
        const frameBytes = frameBytesOf(formatByCode(request.pcmFormat), request.pcmChannels);
        parameters = { rate: request.pcmRate, frameBytes, bufferFrames: request.bufferSz / frameBytes };
      }
    }
  }
  return { runs, samples, roundTrips };
}

/** Octets of a frame; never 0, whatever a guest has asked for. */
function frameBytesOf(format: SampleFormat | undefined, channels: number): number {
  return (format?.octets ?? 1) * Math.max(1, channels);
}

function endsRun({ operation, triggerType }: RequestView): boolean {
  return operation !== XENSND_OP_TRIGGER
    ? operation === XENSND_OP_OPEN || operation === XENSND_OP_CLOSE
    : triggerType !== XENSND_OP_TRIGGER_START;
}

/** Seconds from a run's first sample to its last. */
function lengthOf({ samples }: Run): number {
  const [first, last] = [samples[0], samples.at(-1)];
  return first === undefined || last === undefined ? 0 : last.time - first.time;
}

/** The device's clock: the straight line nearest to its pointer. */
interface Clock {
  /** Frames a second. */
  readonly rate: number;
  at(time: number): number;
}

/** Least squares over the pointer's samples. A run that is too short gets the nominal rate. */
function clockOf(run: Run): Clock {
  const { samples, rate: nominal } = run;
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / (values.length || 1);
  const times = samples.map(({ time }) => time);
  const time0 = mean(times);
  const frame0 = mean(samples.map(({ sample }) => sample.positionFrames));
  let rate = nominal;
  if (lengthOf(run) >= MIN_SECONDS) {
    const variance = mean(times.map((time) => (time - time0) ** 2));
    rate = mean(samples.map(({ time, sample }) => (time - time0) * (sample.positionFrames - frame0))) /
      variance;
  }
  return { rate, at: (time) => frame0 + (time - time0) * rate };
}

function deviationOf(clocked: readonly { readonly run: Run; readonly clock: Clock }[]): Series {
  const points: Point[] = [];
  clocked.forEach(({ run, clock }) => {
    const ahead = (time: number, frames: number) => (frames - clock.at(time)) * 1000 / run.rate;
    for (const { time, frames } of run.told) points.push({ time, name: "told", value: ahead(time, frames) });
    for (const { time, sample } of run.samples) {
      points.push({ time, name: "pointer", value: ahead(time, sample.positionFrames) });
    }
    points.push(...gap(run, ["told", "pointer"]));
  });
  return series(points, ["told", "pointer"]);
}

function fillOf(runs: readonly Run[], type: "playback" | "capture"): Series {
  const points: Point[] = [];
  for (const run of runs) {
    const ms = (frames: number) => frames * 1000 / run.rate;
    for (const { time, sample: { guestFrames, positionFrames } } of run.samples) {
      const waiting = type === "playback" ? guestFrames - positionFrames : positionFrames - guestFrames;
      // A dry device's pointer has passed the guest's: then nothing waits.
      points.push({ time, name: "fill", value: ms(Math.max(0, waiting)) }, {
        time,
        name: "buffer",
        value: ms(run.bufferFrames),
      });
    }
    points.push(...gap(run, ["fill", "buffer"]));
  }
  return series(points, ["fill", "buffer"]);
}

function xrunsOf(samples: readonly { time: number; sample: PositionSample }[]): Series {
  const points = samples.flatMap(({ time, sample: { xruns, hostXruns } }) => [
    { time, name: "guest", value: xruns - hostXruns },
    { time, name: "host", value: hostXruns },
  ]);
  return series(points, ["guest", "host"]);
}

interface Point {
  readonly time: number;
  readonly name: string;
  readonly value: number | null;
}

/** Points without a value right before and after a run, which interrupt the lines. */
function gap({ samples, told }: Run, names: readonly string[]): Point[] {
  const [first] = samples;
  if (first === undefined) return [];
  const last = Math.max(samples.at(-1)?.time ?? 0, told.at(-1)?.time ?? 0);
  return [first.time - 1e-6, last + 1e-6].flatMap((time) =>
    names.map((name) => ({ time, name, value: null }))
  );
}

/** Puts points into curves over common times. Without `names`: all curves, the most frequent first. */
function series(points: readonly Point[], names = byFrequency(points)): Series {
  const times = [...new Set(points.map(({ time }) => time))].sort((a, b) => a - b);
  const index = new Map(times.map((time, i) => [time, i]));
  const curves = names.map((name) => ({ name, values: new Array<number | null>(times.length).fill(null) }));
  const byName = new Map(curves.map((curve) => [curve.name, curve]));
  for (const { time, name, value } of points) {
    byName.get(name)!.values[index.get(time)!] = value === null ? null : Math.round(value * 1e4) / 1e4;
  }
  return { times, curves };
}

function byFrequency(points: readonly Point[]): string[] {
  const counts = new Map<string, number>();
  for (const { name } of points) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a).map(([name]) => name);
}
