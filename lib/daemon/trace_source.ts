// SPDX-License-Identifier: MIT
/** The daemon's end of a trace: takes what the engine has recorded of a stream and hands it on in the trace file's form. */
import { positionRecord, type TraceReader } from "../bridge/trace_ring.ts";
import type { StatusSnapshot } from "../bridge/stream_status.ts";
import type { TraceChunk } from "../control/protocol.ts";
import { XsndError } from "../base/error.ts";
import { VERSION } from "../base/version.ts";
import { knownFormat, RequestView, XENSND_OP_OPEN } from "../sndif/mod.ts";
import { STREAM_STATES } from "../stream/stream_state.ts";
import { viewPacket } from "../trace/packets.ts";
import {
  decodeParameters,
  decodePosition,
  decodeXrun,
  encodeRecords,
  endRecord,
  isPacket,
  RecordKind,
  type TraceHead,
  type TraceParameters,
  type TraceRecord,
} from "../trace/trace_format.ts";
import type { StreamControl } from "./stream/stream_control.ts";

/** States of a stream that is open. */
const OPEN_STATES: readonly string[] = ["prepared", "running", "paused"];
/** How often the trace ring is read. The ring holds far more than a guest may cause in this time. */
const LOOK_MS = 20;
/** Records in one chunk: 200 KB, well below what a line of the control socket holds. */
const CHUNK_RECORDS = 2048;

/**
 * A trace: its head, then what passes on the stream's rings until `gone` is aborted or the stream is given up, then the reason of its
 * end.
 */
export async function* traceStream(
  stream: StreamControl,
  gone: AbortSignal,
): AsyncGenerator<TraceHead | TraceChunk> {
  const reader = stream.records.follow();
  yield headOf(stream);
  const row = stream.connection?.row;
  // What began before the trace, and changes nothing now: an operator's hold, a lost card.
  if (row !== undefined) yield chunk([positionRecord(row)]);
  while (!gone.aborted && !stream.isGivenUp) {
    yield* taken(reader);
    await delay(LOOK_MS);
  }
  yield* taken(reader);
  yield chunk([endRecord(reader.now(), stream.isGivenUp ? "the card is gone" : "the recorder ends it")]);
}

function* taken(reader: TraceReader): Generator<TraceChunk> {
  for (;;) {
    const records = reader.take(CHUNK_RECORDS);
    if (records.length > 0) yield chunk(records);
    if (records.length < CHUNK_RECORDS) return;
  }
}

/**
 * The trace of the last `seconds` in which something passed on the stream's rings, as far as the flight recorder goes back. Throws
 * {@link XsndError} if nothing has passed.
 */
export async function* lastTrace(
  stream: StreamControl,
  seconds: number,
): AsyncGenerator<TraceHead | TraceChunk> {
  const last = lastRecords(stream, seconds);
  if (last === undefined) {
    throw new XsndError(`no guest has used ${stream.name} since the daemon began to serve its card`);
  }
  const { head, records } = last;
  yield head;
  for (let i = 0; i < records.length; i += CHUNK_RECORDS) {
    yield chunk(records.slice(i, i + CHUNK_RECORDS));
    await delay(0); // The daemon has other work.
  }
}

/** What {@link lastTrace} has, up to the record of the end; undefined if nothing has passed. */
export function lastRecords(
  stream: StreamControl,
  seconds: number,
): { head: TraceHead; records: TraceRecord[] } | undefined {
  const reader = stream.records.past();
  if (reader === undefined) return undefined;
  const { records, start, ...beginning } = cut(reader.take(), seconds);
  const age = reader.now() - start;
  const end = records.at(-1)!.time;
  const idle = ((age - end) / 1e6).toFixed(3);
  records.push(endRecord(end, `the daemon has recorded no more in the ${idle} s until it was asked`));
  return { head: { ...headOf(stream), startedAt: dateBefore(age), ...beginning }, records };
}

/** The last `seconds` of `records`, with times from `start` on, and what the stream was before. */
function cut(records: readonly TraceRecord[], seconds: number) {
  const from = records.at(-1)!.time - seconds * 1e6;
  let first = records.findIndex(({ time }) => time >= from);
  let sample = records.slice(0, first).map(decodePosition).findLast((sample) => sample !== undefined);
  if (sample === undefined) {
    // Nothing says what the stream was before: the trace begins where something says what it is.
    const known = records.slice(first).findIndex((record) =>
      record.kind === RecordKind.connected || record.kind === RecordKind.position
    );
    first += Math.max(0, known);
    sample = decodePosition(records[first]!);
  }
  const state = STREAM_STATES[sample?.state ?? 0] ?? "closed";
  const start = records[first]!.time;
  return {
    records: [
      ...begunBefore(records.slice(0, first)),
      ...records.slice(first).map((record) => ({ ...record, time: Math.max(0, record.time - start) })),
    ],
    start,
    state,
    parameters: OPEN_STATES.includes(state) ? parametersAt(records, first) : undefined,
  };
}

/** What has begun in `records`, and goes on after them: where the device is, and an xrun. */
function begunBefore(records: readonly TraceRecord[]): TraceRecord[] {
  const lastOf = (kind: number) => records.findLast((record) => record.kind === kind);
  const xrun = lastOf(RecordKind.xrun);
  const begun = [lastOf(RecordKind.position), xrun && decodeXrun(xrun)?.isOver === false ? xrun : undefined];
  return begun.filter((record) => record !== undefined).map((record) => ({ ...record, time: 0 }));
}

/** What the stream was open with as record `first` was written. */
function parametersAt(records: readonly TraceRecord[], first: number): TraceParameters | undefined {
  const before = records.slice(0, first).map(decodeParameters).findLast((found) => found !== undefined);
  if (before !== undefined) return before;
  for (const record of records.slice(first)) {
    const found = decodeParameters(record);
    if (found !== undefined) return found;
    if (isPacket(record) && viewPacket(new RequestView(), record).operation === XENSND_OP_OPEN) {
      return undefined;
    }
  }
}

function chunk(records: TraceRecord[]): TraceChunk {
  return { records: encodeRecords(records).toBase64() };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function dateBefore(micros: number): string {
  return new Date(Date.now() - micros / 1000).toISOString();
}

function headOf(stream: StreamControl): TraceHead {
  const { type, device, uniqueId } = stream.policy;
  const snapshot = stream.counters.snapshot();
  return {
    stream: stream.name,
    domid: stream.domid,
    type,
    device,
    uniqueId,
    xsnd: VERSION,
    startedAt: dateBefore(0),
    state: snapshot.state,
    parameters: isOpen(snapshot) ? parametersOf(snapshot) : undefined,
  };
}

function isOpen(snapshot: ReturnType<StreamControl["counters"]["snapshot"]>): snapshot is StatusSnapshot {
  return OPEN_STATES.includes(snapshot.state);
}

function parametersOf(snapshot: StatusSnapshot): TraceParameters {
  const { rate, channels, bufferFrames, periodFrames, cardBufferFrames, cardPeriodFrames } = snapshot;
  const format = knownFormat(snapshot.format).name;
  return { rate, channels, format, bufferFrames, periodFrames, cardBufferFrames, cardPeriodFrames };
}
