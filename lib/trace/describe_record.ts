// SPDX-License-Identifier: MIT
/** Describes a record: as fields for programs, as a line for people. */
import { errnoName } from "../../ffi/libc/errno.ts";
import { HOLDS, STREAM_STATES } from "../stream/stream_state.ts";
import {
  HwParam,
  type Interval,
  maskToFormats,
  type RequestView,
  type ResponseView,
  XENSND_EVT_CUR_POS,
  XENSND_OP_CLOSE,
  XENSND_OP_HW_PARAM_QUERY,
  XENSND_OP_OPEN,
  XENSND_OP_TRIGGER,
} from "../sndif/mod.ts";
import { printable } from "../base/text.ts";
import {
  decodeLost,
  decodeParameters,
  decodePosition,
  decodeXrun,
  RecordKind,
  type TraceRecord,
} from "./trace_format.ts";
import { formatName, isOperation, operationName, triggerName } from "./names.ts";
import { type Decoded, Decoder } from "./packets.ts";

/** The fields of a record by name, in the order of a line. */
export type Fields = Readonly<Record<string, string | number | boolean | readonly string[] | Interval>>;

/**
 * The fields of a record, without its time.
 *
 * @example
 * ```ts
 * import { encodeTriggerRequest, PACKET_SIZE, XENSND_OP_TRIGGER_START } from "@xsnd/xsnd/sndif";
 * import { Decoder, fieldsOf, RecordKind } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * const body = new Uint8Array(PACKET_SIZE);
 * encodeTriggerRequest(new DataView(body.buffer), 0, 7, XENSND_OP_TRIGGER_START);
 * const record = { kind: RecordKind.request, time: 1500, body };
 * assert.deepEqual(fieldsOf(new Decoder().next(record)), { kind: "request", id: 7, op: "TRIGGER", type: "START" });
 * ```
 */
export function fieldsOf(decoded: Decoded): Fields {
  switch (decoded.kind) {
    case "request":
      return requestFields(decoded.request, decoded.record);
    case "response":
      return responseFields(decoded.response, decoded.record, decoded.asked?.record.time);
    case "event": {
      const { event, record } = decoded;
      if (event.type !== XENSND_EVT_CUR_POS) {
        return { kind: "event", id: event.id, type: `type ${event.type}`, hex: record.body.toHex() };
      }
      return { kind: "event", id: event.id, type: "CUR_POS", position: event.position };
    }
    case "other":
      return otherFields(decoded.record);
  }
}

function requestFields(request: RequestView, { body }: TraceRecord): Fields {
  const { id, operation } = request;
  const common = { kind: "request", id, op: operationName(operation) };
  if (!isOperation(operation)) return { ...common, hex: body.toHex() };
  switch (operation) {
    case XENSND_OP_OPEN: {
      const { pcmRate, pcmFormat, pcmChannels, bufferSz, grefDirectory, periodSz } = request;
      return {
        ...common,
        rate: pcmRate,
        format: formatName(pcmFormat),
        channels: pcmChannels,
        buffer_sz: bufferSz,
        period_sz: periodSz,
        gref_directory: grefDirectory,
      };
    }
    case XENSND_OP_CLOSE:
      return common;
    case XENSND_OP_TRIGGER:
      return { ...common, type: triggerName(request.triggerType) };
    case XENSND_OP_HW_PARAM_QUERY:
      return { ...common, ...paramFields(request) };
    default:
      return { ...common, offset: request.offset, length: request.length };
  }
}

function responseFields(response: ResponseView, record: TraceRecord, asked: number | undefined): Fields {
  const { id, operation, status } = response;
  const isAnswer = operation === XENSND_OP_HW_PARAM_QUERY && status === 0;
  return {
    kind: "response",
    id,
    op: operationName(operation),
    status,
    ...(status < 0 ? { errno: errnoName(status) } : {}),
    ...(isAnswer ? paramFields(response) : {}),
    ...(asked === undefined ? {} : { roundTripMicros: record.time - asked }),
  };
}

function paramFields(packet: { readHwParam(into: HwParam): void }): Fields {
  const param = new HwParam();
  packet.readHwParam(param);
  const { rates, channels, buffer, period, formatsLow } = param;
  const formats = formatsLow === 0xffffffff ? ["any"] : maskToFormats(formatsLow).map(({ name }) => name);
  return { formats, rates, channels, buffer, period };
}

function otherFields(record: TraceRecord): Fields {
  const sample = decodePosition(record);
  if (sample !== undefined) {
    const { positionFrames, guestFrames, cardFrames, xruns, hostXruns, lateFrames } = sample;
    const frames = { position: positionFrames, guest: guestFrames, card: cardFrames };
    return {
      kind: "position",
      ...frames,
      xruns,
      hostXruns,
      lateFrames,
      state: STREAM_STATES[sample.state] ?? `state ${sample.state}`,
      hold: HOLDS[sample.hold] ?? `hold ${sample.hold}`,
      ...(sample.cardLost ? { cardLost: true } : {}),
    };
  }
  const parameters = decodeParameters(record);
  if (parameters !== undefined) {
    const { rate, format, channels, bufferFrames, periodFrames, cardBufferFrames, cardPeriodFrames } =
      parameters;
    const guests = { rate, format, channels, buffer: bufferFrames, period: periodFrames };
    return { kind: "parameters", ...guests, cardBuffer: cardBufferFrames, cardPeriod: cardPeriodFrames };
  }
  const xrun = decodeXrun(record);
  if (xrun !== undefined) {
    const { cause, fromFrame: from, frames, seconds, isOver } = xrun;
    return { kind: "xrun", cause, from, frames, seconds: Math.round(seconds * 1e6) / 1e6, over: isOver };
  }
  switch (record.kind) {
    case RecordKind.connected:
      return { kind: "connected" };
    case RecordKind.disconnected:
      return { kind: "disconnected" };
    case RecordKind.lost:
      return { kind: "lost", records: decodeLost(record) };
    case RecordKind.end:
      return { kind: "end", why: new TextDecoder().decode(record.body) };
    default:
      return { kind: `kind ${record.kind}`, hex: record.body.toHex() };
  }
}

/** How a line begins, by kind: > is from the guest, < is to the guest. */
const SIGNS: Readonly<Record<string, string>> = {
  request: "> req",
  response: "< rsp",
  event: "< evt",
  position: "  pos",
};

/**
 * A line for a terminal: `    0.123456 > req id=12 op=WRITE offset=0 length=4096`. Control characters in it are escaped.
 *
 * @example
 * ```ts
 * import { encodeTriggerRequest, PACKET_SIZE, XENSND_OP_TRIGGER_START } from "@xsnd/xsnd/sndif";
 * import { Decoder, lineOf, RecordKind } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * const body = new Uint8Array(PACKET_SIZE);
 * encodeTriggerRequest(new DataView(body.buffer), 0, 7, XENSND_OP_TRIGGER_START);
 * const record = { kind: RecordKind.request, time: 1500, body };
 * assert.equal(lineOf(new Decoder().next(record)), "    0.001500 > req id=7 op=TRIGGER type=START");
 * ```
 */
export function lineOf(decoded: Decoded): string {
  const { kind, roundTripMicros, ...fields } = fieldsOf(decoded);
  const text = Object.entries(fields).map(([name, value]) => `${name}=${valueText(value)}`);
  if (roundTripMicros !== undefined) text.push(`(${roundTripMicros} µs)`);
  const time = (decoded.record.time / 1e6).toFixed(6).padStart(12);
  return [time, SIGNS[kind as string] ?? `  --- ${kind}`, ...text].join(" ");
}

/** The line of a request, from its octets. */
export function lineOfPacket(time: number, body: Uint8Array<ArrayBuffer>): string {
  return lineOf(new Decoder().next({ kind: RecordKind.request, time, body }));
}

function valueText(value: Fields[string]): string {
  if (typeof value !== "object") return printable(String(value));
  if ("min" in value) return value.min === value.max ? `${value.min}` : `${value.min}..${value.max}`;
  return value.join(",") || "none";
}
