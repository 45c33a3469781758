// SPDX-License-Identifier: MIT
/** Counts what a trace holds. */
import { type Percentiles, percentiles } from "../base/percentiles.ts";
import { Decoder } from "./packets.ts";
import { decodeLost, RecordKind, type TraceRecord } from "./trace_format.ts";
import { operationName } from "./names.ts";
import { GapFinder } from "./trace_xruns.ts";

/** The figures of a trace. */
export interface Summary {
  /** All records. */
  readonly records: number;
  /** From the first record to the last. */
  readonly seconds: number;
  /** Requests that the daemon took off the ring. */
  readonly requests: number;
  /** Requests by operation. */
  readonly operations: Readonly<Record<string, number>>;
  /** Responses that the daemon published. */
  readonly responses: number;
  /** Responses with a status below 0. */
  readonly refused: number;
  /** Position events that the daemon published. */
  readonly events: number;
  /** Readings of the device's pointer. */
  readonly positions: number;
  /** Connections of the guest's frontend. */
  readonly connections: number;
  /** Xruns of the device. */
  readonly xruns: number;
  /** Of the xruns, those that the host caused. */
  readonly hostXruns: number;
  /** Sound that the xruns have cost, in seconds. */
  readonly xrunSeconds: number;
  /** From the daemon's taking a request off the ring to its response. */
  readonly roundTripMicros: Percentiles;
  /** Missing records: the daemon has read them too late. */
  readonly lost: number;
}

export class Summarizer {
  readonly #decoder = new Decoder();
  readonly #gaps = new GapFinder();
  readonly #kinds = new Map<number, number>();
  readonly #operations = new Map<string, number>();
  readonly #micros: number[] = [];
  #first: number | undefined;
  #last = 0;
  #records = 0;
  #refused = 0;
  #lost = 0;

  add(record: TraceRecord): void {
    const decoded = this.#decoder.next(record);
    this.#gaps.add(record);
    count(this.#kinds, record.kind);
    this.#records++;
    this.#first = Math.min(this.#first ?? record.time, record.time);
    this.#last = Math.max(this.#last, record.time);
    if (record.kind === RecordKind.lost) this.#lost += decodeLost(record);
    if (decoded.kind === "request") count(this.#operations, operationName(decoded.request.operation));
    if (decoded.kind !== "response") return;
    if (decoded.response.status < 0) this.#refused++;
    if (decoded.asked !== undefined) this.#micros.push(record.time - decoded.asked.record.time);
  }

  summary(): Summary {
    const gaps = this.#gaps.gaps();
    const of = (kind: number) => this.#kinds.get(kind) ?? 0;
    return {
      records: this.#records,
      seconds: (this.#last - (this.#first ?? 0)) / 1e6,
      requests: of(RecordKind.request),
      operations: Object.fromEntries([...this.#operations].sort()),
      responses: of(RecordKind.response),
      refused: this.#refused,
      events: of(RecordKind.event),
      positions: of(RecordKind.position),
      connections: of(RecordKind.connected),
      xruns: gaps.length,
      hostXruns: gaps.filter(({ cause }) => cause === "host").length,
      xrunSeconds: Math.round(gaps.reduce((sum, { seconds }) => sum + seconds, 0) * 1e6) / 1e6,
      roundTripMicros: percentiles(this.#micros),
      lost: this.#lost,
    };
  }
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/**
 * Adds up the records of a trace.
 *
 * @example
 * ```ts
 * import { endRecord, summarize } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * assert.equal(summarize([endRecord(0, "nothing happened")]).records, 1);
 * ```
 */
export function summarize(records: readonly TraceRecord[]): Summary {
  const summarizer = new Summarizer();
  for (const record of records) summarizer.add(record);
  return summarizer.summary();
}
