// SPDX-License-Identifier: MIT
/**
 * A trace file: what went over one stream's rings, and where its card was meanwhile. All numbers are little-endian.
 *
 *     file    magic: 89 58 53 4e 44 54 52 0a ("\x89XSNDTR\n"), u16 version, u16 0, u32 octets of the head, head, records
 *     head    JSON, UTF-8: {@link TraceHead}
 *     record  u16 octets of the body, u16 kind, u64 time in µs since the head's `startedAt` (CLOCK_MONOTONIC), body
 *
 *     kind    body
 *      1      the 64 octets of a `struct xensnd_req`, as the daemon copied it off the ring, when it did
 *      2      the 64 octets of a `struct xensnd_resp`, before it was published
 *      3      the 64 octets of a `struct xensnd_evt`, after it was published
 *      4      {@link PositionSample}: f64 position, guest's, card's and late frames; u32 xruns, u32 the host's of them,
 *             u32 state, u32 hold (indices of STREAM_STATES and HOLDS), u32 whether the card is lost
 *      5, 6   nothing: the stream was connected to its frontend, and disconnected
 *      7      u32: so many records are missing here, for which there was no room
 *      8      UTF-8: why the trace ends
 *      9      {@link XrunRecord}: f64 frame at which it began, f64 frames, f64 seconds, u32 whether it is the host's, u32 whether
 *             it has ended
 *
 * A trace goes on over its guest's reconnections; it ends when its recorder does, or when the card is taken away.
 *
 * There is no sound in it: samples are in the guest's buffer, which is not traced. A file that ends in the middle of a
 * record is good up to there, and records of other kinds are for later versions, to be passed over. What a guest has put on its
 * ring stands here as it was: a reader believes none of it.
 */
import { printable } from "../base/text.ts";
import { formatByCode, formatByName, PACKET_SIZE } from "../sndif/mod.ts";
import { LOST_BYTES, POSITION_AT, POSITION_BYTES, XRUN_AT, XRUN_BYTES } from "./record_layout.ts";

const MAGIC = Uint8Array.of(0x89, 0x58, 0x53, 0x4e, 0x44, 0x54, 0x52, 0x0a);
/** The version of the files that this xsnd writes. It reads versions 1 and 2; in 1 `parameters.format` is sndif.h's number. */
export const TRACE_VERSION = 2;
const PREAMBLE_BYTES = 16;
const RECORD_HEAD_BYTES = 12;

export const RecordKind = {
  request: 1,
  response: 2,
  event: 3,
  position: 4,
  connected: 5,
  disconnected: 6,
  lost: 7,
  end: 8,
  xrun: 9,
} as const;

/** What a stream was open with; sizes in frames. */
export interface TraceParameters {
  readonly rate: number;
  readonly channels: number;
  /** Its name in sndif.h: `s16_le`. */
  readonly format: string;
  readonly bufferFrames: number;
  readonly periodFrames: number;
  readonly cardBufferFrames: number;
  readonly cardPeriodFrames: number;
}

export interface TraceHead {
  /** `domU/0/0/0`. */
  readonly stream: string;
  readonly domid: number;
  readonly type: "playback" | "capture";
  readonly device: string;
  readonly uniqueId: string;
  /** Of the daemon. */
  readonly xsnd: string;
  /** When the trace began: ISO 8601, UTC. */
  readonly startedAt: string;
  /** As in `xsnd status`, when the trace began. */
  readonly state: string;
  /** Of a stream that was open when the trace began. Later ones are in the OPEN requests. */
  readonly parameters?: TraceParameters;
}

/** Where the card was: from the stream's row in the daemon's status table. Frames count from OPEN. */
export interface PositionSample {
  /** The card's pointer. */
  readonly positionFrames: number;
  /** The guest's end of written (read) samples. */
  readonly guestFrames: number;
  /** What has been handed to (taken from) the card. */
  readonly cardFrames: number;
  readonly lateFrames: number;
  readonly xruns: number;
  readonly hostXruns: number;
  readonly state: number;
  readonly hold: number;
  readonly cardLost: boolean;
}

/** An xrun when it is counted, and again when it has ended. */
export interface XrunRecord {
  /** Playback: the end of what the guest had written; capture: the first frame that is lost. Counts from OPEN. */
  readonly fromFrame: number;
  /** How long it has lasted up to this record. A guest that stops the card meanwhile is waited for in seconds. */
  readonly frames: number;
  readonly seconds: number;
  readonly cause: "guest" | "host";
  readonly isOver: boolean;
}

export interface TraceRecord {
  /** {@link RecordKind}, or any other number. */
  readonly kind: number;
  /** µs since the trace began. */
  readonly time: number;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** The file that is to be read is none, or of a version that is not known. */
export class TraceFormatError extends Error {
  override name = "TraceFormatError";
  constructor(message: string, options?: ErrorOptions) {
    super(printable(message), options);
  }
}

/** A file's beginning, up to its first record. */
export function encodeHead(head: TraceHead): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(head));
  const octets = new Uint8Array(PREAMBLE_BYTES + text.length);
  octets.set(MAGIC);
  const view = new DataView(octets.buffer);
  view.setUint16(8, TRACE_VERSION, true);
  view.setUint32(12, text.length, true);
  octets.set(text, PREAMBLE_BYTES);
  return octets;
}

/** Records one after the other, as they stand in a file. Throws RangeError if a body is longer than 64 KiB. */
export function encodeRecords(records: readonly TraceRecord[]): Uint8Array<ArrayBuffer> {
  const bytes = records.reduce((sum, { body }) => sum + RECORD_HEAD_BYTES + body.length, 0);
  const octets = new Uint8Array(bytes);
  const view = new DataView(octets.buffer);
  let at = 0;
  for (const { kind, time, body } of records) {
    if (body.length > 0xffff) throw new RangeError(`a record of ${body.length} octets`);
    view.setUint16(at, body.length, true);
    view.setUint16(at + 2, kind, true);
    view.setBigUint64(at + 4, BigInt(Math.max(0, Math.round(time))), true);
    octets.set(body, at + RECORD_HEAD_BYTES);
    at += RECORD_HEAD_BYTES + body.length;
  }
  return octets;
}

/** Says that `count` records are missing. */
export function lostRecord(time: number, count: number): TraceRecord {
  const body = new Uint8Array(LOST_BYTES);
  new DataView(body.buffer).setUint32(0, count, true);
  return { kind: RecordKind.lost, time, body };
}

/** Ends a trace; `why` is for people. */
export function endRecord(time: number, why: string): TraceRecord {
  return { kind: RecordKind.end, time, body: new TextEncoder().encode(why) };
}

export interface TraceFile {
  readonly head: TraceHead;
  readonly records: readonly TraceRecord[];
  /** Whether the file ends in the middle of a record. */
  readonly truncated: boolean;
}

/** Reads a whole file. Throws {@link TraceFormatError} if it has no head, or one that is cut short. */
export function decodeTrace(octets: Uint8Array<ArrayBuffer>): TraceFile {
  if (!MAGIC.every((octet, i) => octets[i] === octet)) throw new TraceFormatError("it is no trace");
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  if (octets.length < PREAMBLE_BYTES) throw new TraceFormatError("it ends in its head");
  const version = view.getUint16(8, true);
  if (version < 1 || version > TRACE_VERSION) {
    throw new TraceFormatError(
      `it is of version ${version}, and this xsnd reads versions 1 to ${TRACE_VERSION}`,
    );
  }
  const start = PREAMBLE_BYTES + view.getUint32(12, true);
  if (octets.length < start) throw new TraceFormatError("it ends in its head");
  const { records, rest } = decodeRecords(octets.subarray(start));
  return { head: decodeHead(octets.subarray(PREAMBLE_BYTES, start), version), records, truncated: rest > 0 };
}

function decodeHead(octets: Uint8Array<ArrayBuffer>, version: number): TraceHead {
  let head: unknown;
  try {
    head = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(octets));
  } catch {
    throw new TraceFormatError("its head is no JSON");
  }
  if (version === 1) nameFormat(head);
  if (!isTraceHead(head)) throw new TraceFormatError("its head is not that of a trace");
  return head;
}

const HEAD_TEXTS = ["stream", "device", "uniqueId", "xsnd", "startedAt", "state"];
const HEAD_SIZES = ["rate", "channels", "bufferFrames", "cardBufferFrames", "cardPeriodFrames"];

/** Gives the format of a head of version 1 by name. A number that is no format stays, and is refused. */
function nameFormat(head: unknown): void {
  if (!isRecord(head) || !isRecord(head.parameters)) return;
  const { parameters } = head;
  if (typeof parameters.format === "number") parameters.format = formatByCode(parameters.format)?.name;
}

/** Whether `value` is a {@link TraceHead} in all its fields: a file, or a daemon, may say anything. */
export function isTraceHead(value: unknown): value is TraceHead {
  if (!isRecord(value)) return false;
  const { domid, type, parameters } = value;
  return HEAD_TEXTS.every((name) => typeof value[name] === "string") && isCount(domid) &&
    (type === "playback" || type === "capture") && (parameters === undefined || areParameters(parameters));
}

function areParameters(value: unknown): boolean {
  return isRecord(value) && HEAD_SIZES.every((name) => isCount(value[name]) && value[name] !== 0) &&
    isCount(value.periodFrames) && typeof value.format === "string" &&
    formatByName(value.format) !== undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The whole records of `octets`, which begin with one, and the number of octets left over. */
export function decodeRecords(octets: Uint8Array<ArrayBuffer>): { records: TraceRecord[]; rest: number } {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  const records: TraceRecord[] = [];
  let at = 0;
  while (octets.length - at >= RECORD_HEAD_BYTES) {
    const end = at + RECORD_HEAD_BYTES + view.getUint16(at, true);
    if (end > octets.length) break;
    const [kind, time] = [view.getUint16(at + 2, true), Number(view.getBigUint64(at + 4, true))];
    records.push({ kind, time, body: octets.subarray(at + RECORD_HEAD_BYTES, end) });
    at = end;
  }
  return { records, rest: octets.length - at };
}

/** Whether the record is a request, a response or an event, and whole. */
export function isPacket({ kind, body }: TraceRecord): boolean {
  return kind >= RecordKind.request && kind <= RecordKind.event && body.length === PACKET_SIZE;
}

/** The body of a `position` record; undefined for any other record. */
export function decodePosition({ kind, body }: TraceRecord): PositionSample | undefined {
  if (kind !== RecordKind.position || body.length < POSITION_BYTES) return undefined;
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  return {
    positionFrames: view.getFloat64(POSITION_AT.positionFrames, true),
    guestFrames: view.getFloat64(POSITION_AT.guestFrames, true),
    cardFrames: view.getFloat64(POSITION_AT.cardFrames, true),
    lateFrames: view.getFloat64(POSITION_AT.lateFrames, true),
    xruns: view.getUint32(POSITION_AT.xruns, true),
    hostXruns: view.getUint32(POSITION_AT.hostXruns, true),
    state: view.getUint32(POSITION_AT.state, true),
    hold: view.getUint32(POSITION_AT.hold, true),
    cardLost: view.getUint32(POSITION_AT.cardLost, true) !== 0,
  };
}

/** The body of an `xrun` record; undefined for any other record, and for impossible numbers. */
export function decodeXrun({ kind, body }: TraceRecord): XrunRecord | undefined {
  if (kind !== RecordKind.xrun || body.length < XRUN_BYTES) return undefined;
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const fromFrame = view.getFloat64(XRUN_AT.fromFrame, true);
  const frames = view.getFloat64(XRUN_AT.frames, true);
  const seconds = view.getFloat64(XRUN_AT.seconds, true);
  if (![fromFrame, frames, seconds].every((value) => Number.isFinite(value) && value >= 0)) return undefined;
  return {
    fromFrame,
    frames,
    seconds,
    cause: view.getUint32(XRUN_AT.isHosts, true) === 0 ? "guest" : "host",
    isOver: view.getUint32(XRUN_AT.isOver, true) !== 0,
  };
}

/** The number of records that a `lost` record stands for. */
export function decodeLost({ body }: TraceRecord): number {
  return body.length < LOST_BYTES
    ? 0
    : new DataView(body.buffer, body.byteOffset, LOST_BYTES).getUint32(0, true);
}
