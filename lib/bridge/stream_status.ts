// SPDX-License-Identifier: MIT
/**
 * The status table: a row of numbers for each stream, in a SharedArrayBuffer. The engine alone writes it as it goes, and anyone
 * reads it at any time. There is no lock: each number is one aligned 64-bit store. A reader may see two numbers of different
 * moments, and nothing worse.
 */
import type { Percentiles } from "../base/percentiles.ts";
import { countChange } from "./changes.ts";
import { Durations, DURATIONS_WORDS } from "./durations.ts";
import { type Hold, HOLDS, STREAM_STATES, type StreamState } from "../stream/stream_state.ts";

/** Streams connected at once, of all guests together: rows of the table, entries of an engine's poll set. */
export const MAX_STREAMS = 256;

/**
 * Columns that count up from a stream's connection on.
 *
 * Two sums say what became of each frame, over all OPENs, whenever the engine has served the stream. `waiting` are the frames
 * between `guestFrames` and `positionFrames` while the stream is open. `passed` is
 * `heardFrames` + `standInFrames` + `deniedFrames`.
 *
 *     playback: transferredFrames = passed + lateFrames + discardedFrames + waiting
 *               movedFrames       = passed + silenceFrames
 *     capture:  movedFrames       = transferredFrames + lateFrames + discardedFrames + waiting
 *               movedFrames       = passed + silenceFrames + frames in the device, from `cardFrames` to `positionFrames`
 *
 * (A capture device may have given frames that came after its pointer was read: there the greater of `cardFrames` and
 * `positionFrames` counts.) A frame counts when the device's pointer is read beyond the frame, as what the frame was then.
 */
export const COUNTERS = [
  /** 1: the sum over connections is their number. */
  "connections",
  "requests",
  "events",
  "periods",
  "xruns",
  /** The xruns that this host has caused: the engine came too late, or the device failed. The guest has caused the rest. */
  "hostXruns",
  /** The length of all xruns that have ended: silence in the place of sound, or sound that was not read. */
  "xrunSeconds",
  /** Frames that are not heard: the guest has written them after the device had passed them, or not read them in time. */
  "lateFrames",
  "protocolErrors",
  /** HW_PARAM_QUERY requests that the engine has answered itself. */
  "queries",
  /** Frames by which the device's pointer has moved on, over all OPENs. */
  "movedFrames",
  /** Frames that the guest's WRITEs have added, or that its READs have taken: each once. */
  "transferredFrames",
  /** Frames of sound that the host's device has played or recorded. */
  "heardFrames",
  /** Frames of sound that a stand-in has taken, or frames of its silence: the device is busy, lost, or being changed. */
  "standInFrames",
  /** The same, of a stream that is denied. */
  "deniedFrames",
  /** Frames of silence in the place of sound: the device had no samples of the guest's, or has overwritten what it had recorded. */
  "silenceFrames",
  /** Of `silenceFrames`, those that this host has caused, as in `hostXruns`. */
  "hostSilenceFrames",
  /** Frames that waited to be played or read as the guest stopped or closed the stream, or was gone. */
  "discardedFrames",
  /** How often the device was started, or went on, for the guest. */
  "starts",
  /** How often the device was lost. While `cardLost` is 1 a stand-in plays in its place. */
  "losses",
  /** How often the device stood still without an error. While it does, `cardStalled` and `cardLost` are 1. */
  "stalls",
] as const;

/** Columns of a row, by the names that JSON has: `card` is the host's device there. Frames count from OPEN, counters aside. */
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
  /** The device's pointer. */
  "positionFrames",
  /** The end of what the guest has written (read). */
  "guestFrames",
  /** The end of what has been handed to (taken from) the device. */
  "cardFrames",
  ...COUNTERS,
  "cardLost",
  "cardStalled",
  /** Where the last xrun began, and whether it has yet to end. */
  "xrunFrame",
  "xrunIsOn",
] as const;

type Field = typeof FIELDS[number];

type Counter = typeof COUNTERS[number];

/** Columns that {@link StatusRow.snapshot} does not have as numbers, or leaves out. */
type Special = "state" | "hold" | "cardLost" | "cardStalled" | "xrunFrame" | "xrunIsOn";

export type Counts = Readonly<Record<Counter, number>>;

export type StatusSnapshot = Record<Exclude<Field, Special>, number> & {
  readonly state: StreamState;
  readonly hold: Hold;
  readonly cardLost: boolean;
  readonly cardStalled: boolean;
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
  /** From the device's interrupt to the event that tells the guest, in µs. */
  readonly eventDelays: Durations;
  /** From the engine's waking up for a request to the answer, in µs. */
  readonly requestTimes: Durations;

  /** @param changes counts the changes by {@link setState} and {@link setDevice}; not needed where nobody waits for them */
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

  /** Sets state and hold, and wakes whoever waits for them. */
  setState(state: StreamState, hold: Hold): void {
    this.set("state", STREAM_STATES.indexOf(state));
    this.set("hold", HOLDS.indexOf(hold));
    countChange(this.changes);
  }

  /** Sets whether a stand-in plays in the device's place, and wakes whoever waits for that. */
  setDevice(device: "there" | "lost" | "stalled"): void {
    this.set("cardLost", device === "there" ? 0 : 1);
    this.set("cardStalled", device === "stalled" ? 1 : 0);
    countChange(this.changes);
  }

  add(field: Field, increment: number): void {
    this.#row[COLUMN[field]]! += increment;
  }

  get(field: Field): number {
    return this.#row[COLUMN[field]]!;
  }

  clear(): void {
    this.#row.fill(0);
  }

  /** Adds the counters and durations of `row`, which is of another connection. */
  addAll(row: StatusRow): void {
    for (const counter of COUNTERS) this.add(counter, row.get(counter));
    this.eventDelays.addAll(row.eventDelays);
    this.requestTimes.addAll(row.requestTimes);
  }

  #numbers<F extends Field>(fields: readonly F[]): Record<F, number> {
    return Object.fromEntries(fields.map((name) => [name, this.get(name)])) as Record<F, number>;
  }

  /** The counters by name. */
  counts(): Counts {
    return this.#numbers(COUNTERS);
  }

  /** The row by name, states as words. */
  snapshot(): StatusSnapshot {
    const row = this.#numbers(FIELDS);
    const { state, hold, cardLost, cardStalled, xrunFrame: _frame, xrunIsOn: _isOn, ...numbers } = row;
    return {
      ...numbers,
      state: named(STREAM_STATES, state),
      hold: named(HOLDS, hold),
      cardLost: cardLost === 1,
      cardStalled: cardStalled === 1,
      eventDelayMicros: this.eventDelays.percentiles(),
      requestMicros: this.requestTimes.percentiles(),
    };
  }
}

/** The name that the engine has written as its index. */
function named<N extends string>(names: readonly N[], index: number): N {
  const name = names[index];
  if (name === undefined) throw new RangeError(`${index} is not the index of any of ${names}`);
  return name;
}
