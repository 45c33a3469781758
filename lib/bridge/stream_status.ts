// SPDX-License-Identifier: MIT
/**
 * What the engine tells of each stream: one row of numbers a slot in a SharedArrayBuffer, written by the engine alone as
 * it goes and read by anyone at any time. No lock: each number is one aligned 64-bit store, and a reader that sees two of
 * them from different moments sees nothing worse than that.
 */
import type { Percentiles } from "../base/percentiles.ts";
import { countChange } from "./changes.ts";
import { Durations, DURATIONS_WORDS } from "./durations.ts";
import { type Hold, HOLDS, STREAM_STATES, type StreamState } from "../stream/stream_state.ts";

/** Streams connected at once, of all guests together: rows of the table, entries of an engine's poll set. */
export const MAX_STREAMS = 256;

/** Columns that count up from a stream's connection on. */
export const COUNTERS = [
  /** 1: added up over connections, their number. */
  "connections",
  "requests",
  "events",
  "periods",
  "xruns",
  /** The xruns that were this host's doing: the engine came too late, or the card failed. The rest are the guest's. */
  "hostXruns",
  /** What all xruns that have ended have cost: silence in the place of sound, or sound that was not read. */
  "xrunSeconds",
  /** Frames of the guest's that were not heard in their place, or not at all. */
  "lateFrames",
  "protocolErrors",
  /** HW_PARAM_QUERY requests that the engine has answered by itself. */
  "queries",
  /** Frames by which the card's pointer has moved on in all, from OPEN to OPEN. */
  "movedFrames",
  /** Times that the card was started, or went on, for the guest. */
  "starts",
  /** Losses of the card; while `cardLost` is 1 a stand-in plays in its place. */
  "losses",
] as const;

/** Columns of a row. Frames that are no counters count from OPEN. */
export const FIELDS = [
  "state",
  "hold",
  "rate",
  "channels",
  "format",
  "bufferFrames",
  "periodFrames",
  "cardBufferFrames",
  "cardPeriodFrames",
  /** The card's pointer. */
  "positionFrames",
  /** The guest's end of written (read) samples. */
  "guestFrames",
  /** What has been handed to (taken from) the card. */
  "cardFrames",
  ...COUNTERS,
  "cardLost",
  /** Where the last xrun began, and whether it has yet to end. */
  "xrunFrame",
  "xrunIsOn",
] as const;

type Field = typeof FIELDS[number];

type Counter = typeof COUNTERS[number];

/** Columns that {@link StatusRow.snapshot} has as something else than a number, or not at all. */
type Special = "state" | "hold" | "cardLost" | "xrunFrame" | "xrunIsOn";

/** What is counted. */
export type Counts = Readonly<Record<Counter, number>>;

export type StatusSnapshot = Record<Exclude<Field, Special>, number> & {
  readonly state: StreamState;
  readonly hold: Hold;
  readonly cardLost: boolean;
  readonly eventDelayMicros: Percentiles;
  readonly requestMicros: Percentiles;
};
/** After the columns: {@link StatusRow.eventDelays} and {@link StatusRow.requestTimes}. */
const ROW_WORDS = FIELDS.length + 2 * DURATIONS_WORDS;
const ROW_BYTES = ROW_WORDS * Float64Array.BYTES_PER_ELEMENT;
const COLUMN = Object.fromEntries(FIELDS.map((name, i) => [name, i])) as Record<Field, number>;

/** A table of `slots` rows for {@link StatusRow}. */
export function createStatusTable(slots: number): SharedArrayBuffer {
  return new SharedArrayBuffer(slots * ROW_BYTES);
}

/** One stream's row. */
export class StatusRow {
  readonly #row: Float64Array;
  /** From the card's interrupt to the event that tells the guest of it, in µs. */
  readonly eventDelays: Durations;
  /** From the engine's waking up for a request to its answer, in µs. */
  readonly requestTimes: Durations;

  /** @param changes counts what {@link setState} and {@link setDeviceLost} change; nobody needs to know otherwise */
  constructor(
    table: SharedArrayBuffer,
    slot: number,
    private readonly changes: Int32Array = new Int32Array(1),
  ) {
    const rows = table.byteLength / ROW_BYTES;
    if (!Number.isInteger(slot) || slot < 0 || slot >= rows) {
      throw new RangeError(`slot ${slot} is not one of ${rows}`);
    }
    this.#row = new Float64Array(table, slot * ROW_BYTES, ROW_WORDS);
    const durations = (n: number) => new Durations(this.#row.subarray(FIELDS.length + n * DURATIONS_WORDS));
    this.eventDelays = durations(0);
    this.requestTimes = durations(1);
  }

  set(field: Field, value: number): void {
    this.#row[COLUMN[field]] = value;
  }

  /** Sets what others wait for, and tells them. */
  setState(state: StreamState, hold: Hold): void {
    this.set("state", STREAM_STATES.indexOf(state));
    this.set("hold", HOLDS.indexOf(hold));
    countChange(this.changes);
  }

  /** Whether silence is played in the card's place. */
  setDeviceLost(isLost: boolean): void {
    this.set("cardLost", isLost ? 1 : 0);
    countChange(this.changes);
  }

  add(field: Field, increment: number): void {
    this.#row[COLUMN[field]] += increment;
  }

  get(field: Field): number {
    return this.#row[COLUMN[field]];
  }

  clear(): void {
    this.#row.fill(0);
  }

  /** Adds the counters and durations of `row`, of an earlier connection or a later one. */
  addAll(row: StatusRow): void {
    for (const counter of COUNTERS) this.add(counter, row.get(counter));
    this.eventDelays.addAll(row.eventDelays);
    this.requestTimes.addAll(row.requestTimes);
  }

  #numbers<F extends Field>(fields: readonly F[]): Record<F, number> {
    return Object.fromEntries(fields.map((name) => [name, this.get(name)])) as Record<F, number>;
  }

  /** What is counted, by name. */
  counts(): Counts {
    return this.#numbers(COUNTERS);
  }

  /** The whole row by name, states as words. */
  snapshot(): StatusSnapshot {
    const { state, hold, cardLost, xrunFrame: _frame, xrunIsOn: _isOn, ...numbers } = this.#numbers(FIELDS);
    return {
      ...numbers,
      state: STREAM_STATES[state],
      hold: HOLDS[hold],
      cardLost: cardLost === 1,
      eventDelayMicros: this.eventDelays.percentiles(),
      requestMicros: this.requestTimes.percentiles(),
    };
  }
}
