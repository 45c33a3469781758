/**
 * What the engine tells of each stream: one row of numbers a slot in a SharedArrayBuffer, written by the engine alone as
 * it goes and read by anyone at any time. No lock: each number is one aligned 64-bit store, and a reader that sees two of
 * them from different moments sees nothing worse than that.
 */
import { HOLDS, STREAM_STATES } from "./stream_state.ts";
import type { Percentiles } from "../percentiles.ts";
import { Durations, DURATIONS_WORDS } from "./durations.ts";

/** Columns that count up from a stream's connection on. */
const COUNTERS = [
  "requests",
  "events",
  "periods",
  "xruns",
  /** The xruns that were this host's doing: the engine came too late, or the card failed. The rest are the guest's. */
  "hostXruns",
  /** Frames of the guest's that were not heard in their place, or not at all. */
  "lateFrames",
  "protocolErrors",
  /** HW_PARAM_QUERY requests that the engine has answered by itself. */
  "queries",
  /** Frames by which the card's pointer has moved on in all, from OPEN to OPEN. */
  "movedFrames",
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
] as const;

type Field = typeof FIELDS[number];

export type StatusSnapshot = Record<Exclude<Field, "state" | "hold" | "cardLost">, number> & {
  readonly state: string;
  readonly hold: string;
  readonly cardLost: boolean;
  readonly eventDelayMicros: Percentiles;
  readonly requestMicros: Percentiles;
};
/** After the columns: {@link StatusRow.eventDelays} and {@link StatusRow.requestTimes}. */
const ROW_WORDS = FIELDS.length + 2 * DURATIONS_WORDS;
const COLUMN = Object.fromEntries(FIELDS.map((name, i) => [name, i])) as Record<Field, number>;

/** A table of `slots` rows for {@link StatusRow}. */
export function createStatusTable(slots: number): SharedArrayBuffer {
  return new SharedArrayBuffer(slots * ROW_WORDS * 8);
}

/** One stream's row. */
export class StatusRow {
  readonly #row: Float64Array;
  /** From the card's interrupt to the event that tells the guest of it, in µs. */
  readonly eventDelays: Durations;
  /** From the engine's waking up for a request to its answer, in µs. */
  readonly requestTimes: Durations;

  constructor(table: SharedArrayBuffer, slot: number) {
    this.#row = new Float64Array(table, slot * ROW_WORDS * 8, ROW_WORDS);
    const durations = (n: number) => new Durations(this.#row.subarray(FIELDS.length + n * DURATIONS_WORDS));
    this.eventDelays = durations(0);
    this.requestTimes = durations(1);
  }

  set(field: Field, value: number): void {
    this.#row[COLUMN[field]] = value;
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

  /** The whole row by name, states as words. */
  snapshot(): StatusSnapshot {
    const numbers = Object.fromEntries(FIELDS.map((name) => [name, this.get(name)])) as Record<Field, number>;
    const { state, hold, cardLost } = numbers;
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
