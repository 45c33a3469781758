// SPDX-License-Identifier: MIT
/** The daemon's end of a trace: takes the records that the engine has written of a stream and hands them on in the trace file's form. */
import type { TraceChunk } from "../control/protocol.ts";
import { XsndError } from "../base/error.ts";
import {
  encodeRecords,
  endRecord,
  lostRecord,
  type TraceHead,
  type TraceParameters,
  type TraceRecord,
} from "../trace/trace_format.ts";
import { knownFormat } from "../sndif/mod.ts";
import { VERSION } from "../base/version.ts";
import { inTime } from "./engines/engine_client.ts";
import type { StreamControl } from "./stream/stream_control.ts";
import type { StatusSnapshot } from "../bridge/stream_status.ts";
import { TraceReader } from "../bridge/trace_ring.ts";

/** How often the trace ring is emptied. A busy stream fills it in some seconds. */
const LOOK_MS = 20;
/** Records in one chunk: 200 KB, well below what a line of the control socket holds. */
const CHUNK_RECORDS = 2048;

/**
 * A trace: its head, then what passes on the stream's rings until `gone` is aborted or the stream is given up, then the reason of its
 * end. Throws {@link XsndError} if somebody else traces the stream.
 */
export async function* traceStream(
  stream: StreamControl,
  gone: AbortSignal,
): AsyncGenerator<TraceHead | TraceChunk> {
  const reader = new TraceReader();
  const head = headOf(stream);
  let isGivenUp = false;
  if (!stream.trace(reader, () => isGivenUp = true)) {
    throw new XsndError(`${stream.name} is being traced already; end the other \`xsnd trace record\` first`);
  }
  try {
    yield head;
    while (!gone.aborted && !isGivenUp) {
      yield* taken(reader);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  } finally {
    // Nobody waits for an engine that hangs. It keeps the trace ring until it comes back.
    await inTime(stream.endTrace(reader));
  }
  yield* taken(reader);
  const last = [endRecord(reader.now(), isGivenUp ? "the card is gone" : "the recorder ends it")];
  if (reader.lost > 0) last.unshift(lostRecord(reader.now(), reader.lost));
  yield chunk(last);
}

function* taken(reader: TraceReader): Generator<TraceChunk> {
  for (;;) {
    const records = reader.take(CHUNK_RECORDS);
    if (records.length > 0) yield chunk(records);
    if (records.length < CHUNK_RECORDS) return;
  }
}

function chunk(records: TraceRecord[]): TraceChunk {
  return { records: encodeRecords(records).toBase64() };
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
    startedAt: new Date().toISOString(),
    state: snapshot.state,
    parameters: isOpen(snapshot) ? parametersOf(snapshot) : undefined,
  };
}

function isOpen(snapshot: ReturnType<StreamControl["counters"]["snapshot"]>): snapshot is StatusSnapshot {
  return ["prepared", "running", "paused"].includes(snapshot.state);
}

function parametersOf(snapshot: StatusSnapshot): TraceParameters {
  const { rate, channels, bufferFrames, periodFrames, cardBufferFrames, cardPeriodFrames } = snapshot;
  const format = knownFormat(snapshot.format).name;
  return { rate, channels, format, bufferFrames, periodFrames, cardBufferFrames, cardPeriodFrames };
}
