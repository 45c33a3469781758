// SPDX-License-Identifier: MIT
/**
 * Trace files: reading, describing and writing what went over one stream's rings. `xsnd trace record` makes such files. This
 * module opens no library and no file but the one that {@link readTrace} is given.
 *
 * @example Count the refused requests of a trace
 * ```ts
 * import { decodeTrace, encodeHead, encodeRecords, endRecord, summarize } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * const head = encodeHead({
 *   stream: "domU/0/0/0",
 *   domid: 1,
 *   type: "playback",
 *   device: "hw:0,0",
 *   uniqueId: "speakers",
 *   xsnd: "0.1.0",
 *   startedAt: "2026-01-01T00:00:00.000Z",
 *   state: "closed",
 * });
 * const records = encodeRecords([endRecord(1000, "an example")]);
 * const { records: read } = decodeTrace(Uint8Array.of(...head, ...records));
 * assert.equal(summarize(read).refused, 0);
 * ```
 *
 * @module
 */
export {
  decodeLost,
  decodeParameters,
  decodePosition,
  decodeRecords,
  decodeTrace,
  decodeXrun,
  encodeHead,
  encodeRecords,
  endRecord,
  type PositionSample,
  RecordKind,
  TRACE_VERSION,
  type TraceFile,
  TraceFormatError,
  type TraceHead,
  type TraceParameters,
  type TraceRecord,
  type XrunRecord,
} from "./trace_format.ts";
export { readTrace } from "./trace_file.ts";
export { type Decoded, Decoder } from "./packets.ts";
export { type Fields, fieldsOf, lineOf } from "./describe_record.ts";
export { type Finding, judge, type Verdict } from "./verdict.ts";
export { summarize, type Summary } from "./summary.ts";
export type { Percentiles } from "../base/percentiles.ts";
export type { EventView, Interval, RequestView, ResponseView } from "../sndif/mod.ts";
