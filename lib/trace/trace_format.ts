// SPDX-License-Identifier: MIT
/**
 * The trace file: every request, response and event of one stream, and the device's position at each look. All numbers are
 * little-endian.
 *
 *     file    magic: 89 58 53 4e 44 54 52 0a ("\x89XSNDTR\n"), u16 version, u16 0, u32 octets of the head, head, records
 *     head    JSON, UTF-8: {@link TraceHead}
 *     record  u16 octets of the body, u16 kind, u64 time in µs since the head's `startedAt` (CLOCK_MONOTONIC), body
 *
 *     kind    body
 *      1      a `struct xensnd_req` (64 octets), copied when the daemon took it off the ring
 *      2      a `struct xensnd_resp` (64 octets), copied before the daemon published it
 *      3      a `struct xensnd_evt` (64 octets), copied after the daemon published it
 *      4      {@link PositionSample}, laid out as `POSITION_AT` in record_layout.ts
 *      5, 6   empty: the stream was connected to its frontend, was disconnected
 *      7      u32: the number of records that are missing here, since the daemon read them too late
 *      8      UTF-8: why the trace ends
 *      9      {@link XrunRecord}, laid out as `XRUN_AT` in record_layout.ts
 *      10     {@link TraceParameters}, laid out as `PARAMETERS_FIELDS` in record_layout.ts; written at OPEN, and now and then
 *
 * A trace goes on over the guest's reconnections. It ends with its recorder, or when the card is taken away.
 *
 * A trace holds no sound: samples are in the guest's buffer, which is not traced. A file that ends within a record is good up to
 * this record. Readers pass over kinds that they do not know: later versions may add some. Packets stand as the guest wrote them:
 * readers trust none of their fields.
 */
import { printable } from "../base/text.ts";
import { formatByCode, formatByName, PACKET_SIZE } from "../sndif/mod.ts";
import {
  LOST_BYTES,
  PARAMETERS_BYTES,
  PARAMETERS_FIELDS,
  POSITION_AT,
  POSITION_BYTES,
  XRUN_AT,
  XRUN_BYTES,
} from "./record_layout.ts";

const MAGIC = Uint8Array.of(0x89, 0x58, 0x53, 0x4e, 0x44, 0x54, 0x52, 0x0a);
/** The version of the files that this xsnd writes. It reads versions 1 and 2; in 1 `parameters.format` is sndif.h's number. */
export const TRACE_VERSION = 2;
const PREAMBLE_BYTES = 16;
const RECORD_HEAD_BYTES = 12;

/** The kinds of records. */
export const RecordKind: {
  readonly request: 1;
  readonly response: 2;
  readonly event: 3;
  readonly position: 4;
  readonly connected: 5;
  readonly disconnected: 6;
  readonly lost: 7;
  readonly end: 8;
  readonly xrun: 9;
  readonly parameters: 10;
} = {
  request: 1,
  response: 2,
  event: 3,
  position: 4,
  connected: 5,
  disconnected: 6,
  lost: 7,
  end: 8,
  xrun: 9,
  parameters: 10,
};

/** What a stream was open with. */
export interface TraceParameters {
  /** Hz. */
  readonly rate: number;
  /** Samples in a frame. */
  readonly channels: number;
  /** Its name in sndif.h: `s16_le`. */
  readonly format: string;
  /** The guest's buffer, in frames. */
  readonly bufferFrames: number;
  /** The guest's period, in frames; 0: the guest wants no events. */
  readonly periodFrames: number;
  /** The device's buffer, in frames. */
  readonly cardBufferFrames: number;
  /** The device's period, in frames. */
  readonly cardPeriodFrames: number;
}

/** What a trace begins with. */
export interface TraceHead {
  /** `DOMAIN/CARD/PCM/STREAM`. */
  readonly stream: string;
  /** The guest's number. */
  readonly domid: number;
  /** Playback: the guest plays; capture: the guest records. */
  readonly type: "playback" | "capture";
  /** The host's device: an ALSA PCM, or `dummy:[FILE]`. */
  readonly device: string;
  /** The stream's name in the configuration. */
  readonly uniqueId: string;
  /** The daemon's version of xsnd. */
  readonly xsnd: string;
  /** When the trace began: ISO 8601, UTC. */
  readonly startedAt: string;
  /** The stream's state when the trace began, as `xsnd status` names it. */
  readonly state: string;
  /** Of a stream that was open when the trace began. Later ones are in `parameters` records, and in OPEN requests. */
  readonly parameters?: TraceParameters;
}

/** Where the device was, from the stream's row in the daemon's status table. Frames count from OPEN. */
export interface PositionSample {
  /** The device's pointer. */
  readonly positionFrames: number;
  /** Frames that the guest has written or read. */
  readonly guestFrames: number;
  /** Frames that the device has been given, or has given. */
  readonly cardFrames: number;
  /** Frames that were not heard in their place, or not at all. */
  readonly lateFrames: number;
  /** Xruns since the guest connected. */
  readonly xruns: number;
  /** Of the xruns, those that the host caused. */
  readonly hostXruns: number;
  /** The guest's state, an index of `STREAM_STATES`. */
  readonly state: number;
  /** The operator's hold, an index of `HOLDS`. */
  readonly hold: number;
  /** Whether the device was lost, and the guest got silence. */
  readonly cardLost: boolean;
}

/** An xrun: a record when it is counted, and another when it has ended. */
export interface XrunRecord {
  /** Playback: the end of the frames that the guest had written; capture: the first lost frame. Counts from OPEN. */
  readonly fromFrame: number;
  /** How long the xrun had lasted at this record, in frames. */
  readonly frames: number;
  /** The same in seconds: they go on while a guest keeps the device stopped. */
  readonly seconds: number;
  /** Who came too late. */
  readonly cause: "guest" | "host";
  /** Whether the xrun had ended. */
  readonly isOver: boolean;
}

/** A record of a trace. */
export interface TraceRecord {
  /** {@link RecordKind}, or any other number. */
  readonly kind: number;
  /** µs since the trace began. */
  readonly time: number;
  /** The octets after the record's head; {@link RecordKind} says of what. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/**
 * The octets are no trace, or a trace of an unknown version.
 *
 * @example
 * ```ts
 * import { decodeTrace, TraceFormatError } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * assert.throws(() => decodeTrace(new TextEncoder().encode("RIFF")), TraceFormatError);
 * ```
 */
export class TraceFormatError extends Error {
  /** `TraceFormatError`. */
  override name = "TraceFormatError";
  /** Makes an error; control characters in `message` are escaped. */
  constructor(message: string, options?: ErrorOptions) {
    super(printable(message), options);
  }
}

/**
 * Encodes the beginning of a file, up to its first record.
 *
 * @example
 * ```ts
 * import { decodeTrace, encodeHead } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * const head = {
 *   stream: "domU/0/0/0",
 *   domid: 1,
 *   type: "playback",
 *   device: "hw:0,0",
 *   uniqueId: "speakers",
 *   xsnd: "0.1.0",
 *   startedAt: "2026-01-01T00:00:00.000Z",
 *   state: "closed",
 * } as const;
 * assert.deepEqual(decodeTrace(encodeHead(head)), { head, records: [], truncated: false });
 * ```
 */
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

/**
 * Encodes records, to be written after the head or after other records. Throws RangeError for a body of more than 65535 octets.
 *
 * @example
 * ```ts
 * import { decodeRecords, encodeRecords, RecordKind } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * const record = { kind: RecordKind.connected, time: 1500, body: new Uint8Array() };
 * assert.deepEqual(decodeRecords(encodeRecords([record])), { records: [record], rest: 0 });
 * ```
 */
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

/**
 * Ends a trace; `why` is for people.
 *
 * @example
 * ```ts
 * import { endRecord } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * assert.equal(new TextDecoder().decode(endRecord(1500, "that is all").body), "that is all");
 * ```
 */
export function endRecord(time: number, why: string): TraceRecord {
  return { kind: RecordKind.end, time, body: new TextEncoder().encode(why) };
}

/** A trace that was read. */
export interface TraceFile {
  /** What the trace begins with. */
  readonly head: TraceHead;
  /** The whole records, in the order of the file. */
  readonly records: readonly TraceRecord[];
  /** Whether the file ends within a record. */
  readonly truncated: boolean;
}

/**
 * Decodes a whole file. Throws {@link TraceFormatError} for octets without a whole head.
 *
 * @example
 * ```ts
 * import { decodeTrace, encodeHead } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * const head = {
 *   stream: "domU/0/0/0",
 *   domid: 1,
 *   type: "playback",
 *   device: "hw:0,0",
 *   uniqueId: "speakers",
 *   xsnd: "0.1.0",
 *   startedAt: "2026-01-01T00:00:00.000Z",
 *   state: "closed",
 * } as const;
 * assert.equal(decodeTrace(encodeHead(head)).head.stream, "domU/0/0/0");
 * ```
 */
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

function areParameters(value: unknown): value is TraceParameters & Record<string, unknown> {
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

/**
 * Decodes the whole records at the beginning of `octets`; `rest` octets are left over.
 *
 * @example
 * ```ts
 * import { decodeRecords, encodeRecords, endRecord } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * const octets = encodeRecords([endRecord(1500, "that is all")]);
 * assert.equal(decodeRecords(octets).records[0]?.time, 1500);
 * assert.deepEqual(decodeRecords(octets.subarray(0, 10)), { records: [], rest: 10 });
 * ```
 */
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

/** Whether the record is a request, a response or an event with a whole packet of sndif.h. */
export function isPacket({ kind, body }: TraceRecord): boolean {
  return kind >= RecordKind.request && kind <= RecordKind.event && body.length === PACKET_SIZE;
}

/**
 * The body of a `position` record; undefined for any other record.
 *
 * @example
 * ```ts
 * import { decodePosition, RecordKind } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * const body = new Uint8Array(52);
 * new DataView(body.buffer).setFloat64(0, 48000, true);
 * assert.equal(decodePosition({ kind: RecordKind.position, time: 0, body })?.positionFrames, 48000);
 * ```
 */
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

/**
 * The body of an `xrun` record; undefined for any other record, and for impossible numbers.
 *
 * @example
 * ```ts
 * import { decodeXrun, RecordKind } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * const body = new Uint8Array(32);
 * new DataView(body.buffer).setFloat64(16, 0.25, true);
 * assert.equal(decodeXrun({ kind: RecordKind.xrun, time: 0, body })?.seconds, 0.25);
 * ```
 */
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

/**
 * The body of a `parameters` record; undefined for any other record, and for impossible numbers.
 *
 * @example
 * ```ts
 * import { decodeParameters, RecordKind } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * const body = new Uint8Array(Uint32Array.of(48000, 2, 2, 4800, 480, 9600, 480).buffer);
 * assert.equal(decodeParameters({ kind: RecordKind.parameters, time: 0, body })?.format, "s16_le");
 * ```
 */
export function decodeParameters({ kind, body }: TraceRecord): TraceParameters | undefined {
  if (kind !== RecordKind.parameters || body.length < PARAMETERS_BYTES) return undefined;
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const values = PARAMETERS_FIELDS.map((name, i) => [name, view.getUint32(4 * i, true)] as const);
  const parameters: Record<string, unknown> = Object.fromEntries(values);
  parameters.format = formatByCode(Number(parameters.format))?.name;
  return areParameters(parameters) ? parameters : undefined;
}

/**
 * The number of records that a `lost` record stands for.
 *
 * @example
 * ```ts
 * import { decodeLost, RecordKind } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * assert.equal(decodeLost({ kind: RecordKind.lost, time: 0, body: Uint8Array.of(3, 0, 0, 0) }), 3);
 * ```
 */
export function decodeLost({ body }: TraceRecord): number {
  return body.length < LOST_BYTES
    ? 0
    : new DataView(body.buffer, body.byteOffset, LOST_BYTES).getUint32(0, true);
}
