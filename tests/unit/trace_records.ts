// SPDX-License-Identifier: MIT
/** Trace records for tests, made with the sndif encoders. */
import {
  encodeCurPosEvent,
  encodeOpenRequest,
  encodeResponse,
  encodeRwRequest,
  encodeTriggerRequest,
  PACKET_SIZE,
} from "../../lib/sndif/mod.ts";
import { HOLDS, STREAM_STATES } from "../../lib/stream/stream_state.ts";
import { POSITION_AT, POSITION_BYTES, XRUN_BYTES } from "../../lib/trace/record_layout.ts";
import { RecordKind, type TraceRecord, type XrunRecord } from "../../lib/trace/trace_format.ts";

type Encode = (view: DataView, at: number) => void;

function packet(kind: number, time: number, encode: Encode): TraceRecord {
  const body = new Uint8Array(PACKET_SIZE);
  encode(new DataView(body.buffer), 0);
  return { kind, time, body };
}

export const open = (time: number, id: number, bufferSz = 8192): TraceRecord =>
  packet(RecordKind.request, time, (view, at) => {
    const sizes = { bufferSz, periodSz: bufferSz / 4, grefDirectory: 7 };
    encodeOpenRequest(view, at, id, { pcmRate: 48000, pcmFormat: 2, pcmChannels: 2, ...sizes });
  });

export const rw = (time: number, id: number, operation: number, offset: number, length: number) =>
  packet(RecordKind.request, time, (view, at) => encodeRwRequest(view, at, id, operation, offset, length));

export const trigger = (time: number, id: number, type: number) =>
  packet(RecordKind.request, time, (view, at) => encodeTriggerRequest(view, at, id, type));

export const response = (time: number, id: number, operation: number, status: number) =>
  packet(RecordKind.response, time, (view, at) => encodeResponse(view, at, id, operation, status));

export const position = (time: number, id: number, octets: number) =>
  packet(RecordKind.event, time, (view, at) => encodeCurPosEvent(view, at, id, octets, 0));

/** An xrun record, as the engine's `TraceWriter.xrun` writes it. */
export function xrun(time: number, { fromFrame, frames, seconds, cause, isOver }: XrunRecord): TraceRecord {
  const body = new Uint8Array(XRUN_BYTES);
  const view = new DataView(body.buffer);
  [fromFrame, frames, seconds].forEach((value, i) => view.setFloat64(i * 8, value, true));
  view.setUint32(24, cause === "host" ? 1 : 0, true);
  view.setUint32(28, isOver ? 1 : 0, true);
  return { kind: RecordKind.xrun, time, body };
}

/** A position record: the device at `frames`, the guest at `guest`. */
export function sample(
  time: number,
  frames: number,
  guest: number,
  xruns = 0,
  state = "running",
  { hold = "none", cardLost = false } = {},
): TraceRecord {
  const body = new Uint8Array(POSITION_BYTES);
  const view = new DataView(body.buffer);
  view.setFloat64(POSITION_AT.positionFrames, frames, true);
  view.setFloat64(POSITION_AT.guestFrames, guest, true);
  view.setFloat64(POSITION_AT.cardFrames, guest, true);
  view.setUint32(POSITION_AT.xruns, xruns, true);
  view.setUint32(POSITION_AT.state, STREAM_STATES.findIndex((name) => name === state), true);
  view.setUint32(POSITION_AT.hold, HOLDS.findIndex((name) => name === hold), true);
  view.setUint32(POSITION_AT.cardLost, cardLost ? 1 : 0, true);
  return { kind: RecordKind.position, time, body };
}

/** A record of any kind with any body. */
export const other = (kind: number, time: number, ...body: number[]): TraceRecord => ({
  kind,
  time,
  body: Uint8Array.from(body),
});

/** The error that `body` throws. */
export function errorOf(body: () => void): unknown {
  try {
    body();
  } catch (error) {
    return error;
  }
  return undefined;
}
