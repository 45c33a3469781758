// SPDX-License-Identifier: MIT
/**
 * The flight recorder of one stream: a ring of trace records. The engine writes records at all times, each over the oldest one.
 * The ring holds some 30 s of a stream with usual periods, and some seconds with the shortest. `xsnd trace record` reads along,
 * `xsnd trace last` reads what there is. The engine never waits: a reader that is overtaken is told how many records it has missed.
 *
 * One writer, any number of readers. Layout: int32 slots ever written, padding up to octet 16; then the slots: int32 kind
 * (`RecordKind`), int32 seconds of CLOCK_MONOTONIC, int32 the same time in µs (`MicrosClock`), a body of 64 octets.
 */
import { MicrosClock } from "../../ffi/libc/micros_clock.ts";
import { addressOf } from "../../ffi/libc/pointers.ts";
import { mappedBuffer } from "../../ffi/libc/memory.ts";
import {
  encodeCurPosEvent,
  encodeHwParamResponse,
  encodeResponse,
  type HwParam,
  PACKET_SIZE,
  type RequestView,
} from "../sndif/mod.ts";
import {
  PARAMETERS_BYTES,
  PARAMETERS_FIELDS,
  POSITION_AT,
  POSITION_BYTES,
  XRUN_AT,
  XRUN_BYTES,
} from "../trace/record_layout.ts";
import { lostRecord, RecordKind, type TraceRecord } from "../trace/trace_format.ts";
import type { Address } from "./messages.ts";
import type { StatusRow } from "./stream_status.ts";

const HEADER_BYTES = 16;
const WRITTEN = 0;
/** Octets of a slot before its body. */
const HEAD_BYTES = 12;
const SLOT_BYTES = HEAD_BYTES + PACKET_SIZE;
/** A power of two. */
const SLOTS = 16384;
/**
 * The oldest slots are not read: the engine may be writing over them. Neither thread sees the other's plain stores and loads in
 * their order. That disorder is shorter than the time in which the engine writes so many records.
 */
const MARGIN = 64;

/** Octets of a body, by kind. */
const BODY_BYTES: Readonly<Record<number, number>> = {
  [RecordKind.request]: PACKET_SIZE,
  [RecordKind.response]: PACKET_SIZE,
  [RecordKind.event]: PACKET_SIZE,
  [RecordKind.position]: POSITION_BYTES,
  [RecordKind.connected]: 0,
  [RecordKind.disconnected]: 0,
  [RecordKind.xrun]: XRUN_BYTES,
  [RecordKind.parameters]: PARAMETERS_BYTES,
};

/** The engine's end. Nothing here allocates after construction, blocks or throws. */
export class TraceWriter {
  readonly #view: DataView;
  readonly #words: Int32Array;
  readonly #slots: number;
  readonly #clock = new MicrosClock();

  /** @param memory a {@link TraceRing}'s */
  constructor(memory: ArrayBuffer | SharedArrayBuffer) {
    this.#view = new DataView(memory);
    this.#words = new Int32Array(memory);
    this.#slots = slotsIn(memory);
  }

  /** Over the memory of another thread's {@link TraceRing}, which must outlive this. */
  static at(address: Address): TraceWriter {
    return new TraceWriter(mappedBuffer(address, HEADER_BYTES + SLOTS * SLOT_BYTES));
  }

  request(request: RequestView): void {
    const at = this.#begin(RecordKind.request);
    request.copyTo(this.#words, at >> 2);
    this.#end();
  }

  response(id: number, operation: number, status: number): void {
    const at = this.#begin(RecordKind.response);
    encodeResponse(this.#view, at, id, operation, status);
    this.#end();
  }

  hwParamResponse(id: number, param: HwParam): void {
    const at = this.#begin(RecordKind.response);
    encodeHwParamResponse(this.#view, at, id, param);
    this.#end();
  }

  /** As {@link encodeCurPosEvent}. */
  position(id: number, low: number, high: number): void {
    const at = this.#begin(RecordKind.event);
    encodeCurPosEvent(this.#view, at, id, low, high);
    this.#end();
  }

  /** A sample of `row`. @param time when the pointer in `row` was read, by `MicrosClock` */
  sample(row: StatusRow, time: number): void {
    const at = this.#begin(RecordKind.position);
    const view = this.#view;
    // The seconds may be one too large then. They only count how often the µs have wrapped.
    view.setInt32(at - 4, time, true);
    writePosition(view, at, row);
    this.#end();
  }

  /** As `XrunRecord`. */
  xrun(fromFrame: number, frames: number, seconds: number, isHosts: boolean, isOver: boolean): void {
    const at = this.#begin(RecordKind.xrun);
    const view = this.#view;
    view.setFloat64(at + XRUN_AT.fromFrame, fromFrame, true);
    view.setFloat64(at + XRUN_AT.frames, frames, true);
    view.setFloat64(at + XRUN_AT.seconds, seconds, true);
    view.setUint32(at + XRUN_AT.isHosts, isHosts ? 1 : 0, true);
    view.setUint32(at + XRUN_AT.isOver, isOver ? 1 : 0, true);
    this.#end();
  }

  /** A record without a body: connected or disconnected. */
  mark(kind: number): void {
    this.#begin(kind);
    this.#end();
  }

  /** What the stream is open with, as `row` says. */
  parameters(row: StatusRow): void {
    const at = this.#begin(RecordKind.parameters);
    for (let i = 0; i < PARAMETERS_FIELDS.length; i++) {
      this.#view.setUint32(at + 4 * i, row.get(PARAMETERS_FIELDS[i]!), true);
    }
    this.#end();
  }

  /** Begins a record, which {@link #end} publishes. Returns the octet of its body. */
  #begin(kind: number): number {
    const at = HEADER_BYTES + (this.#words[WRITTEN]! & this.#slots - 1) * SLOT_BYTES;
    const micros = this.#clock.now();
    this.#view.setInt32(at, kind, true);
    this.#view.setInt32(at + 4, this.#clock.seconds, true);
    this.#view.setInt32(at + 8, micros, true);
    return at + HEAD_BYTES;
  }

  #end(): void {
    Atomics.store(this.#words, WRITTEN, this.#words[WRITTEN]! + 1 | 0);
  }
}

/** The body of a `position` record, at the octet `at`. */
function writePosition(view: DataView, at: number, row: StatusRow): void {
  view.setFloat64(at + POSITION_AT.positionFrames, row.get("positionFrames"), true);
  view.setFloat64(at + POSITION_AT.guestFrames, row.get("guestFrames"), true);
  view.setFloat64(at + POSITION_AT.cardFrames, row.get("cardFrames"), true);
  view.setFloat64(at + POSITION_AT.lateFrames, row.get("lateFrames"), true);
  view.setUint32(at + POSITION_AT.xruns, row.get("xruns"), true);
  view.setUint32(at + POSITION_AT.hostXruns, row.get("hostXruns"), true);
  view.setUint32(at + POSITION_AT.state, row.get("state"), true);
  view.setUint32(at + POSITION_AT.hold, row.get("hold"), true);
  view.setUint32(at + POSITION_AT.cardLost, row.get("cardLost"), true);
}

/** What `row` says now, as the first record of a trace. */
export function positionRecord(row: StatusRow): TraceRecord {
  const body = new Uint8Array(POSITION_BYTES);
  writePosition(new DataView(body.buffer), 0, row);
  return { kind: RecordKind.position, time: 0, body };
}

/** An instant of CLOCK_MONOTONIC: in whole seconds, and in {@link MicrosClock}'s µs. */
interface Instant {
  readonly seconds: number;
  readonly micros: number;
}

/** µs from one instant to another. */
function micros(from: Instant, to: Instant): number {
  // The seconds say how often the µs have wrapped.
  const coarse = (to.seconds - from.seconds) * 1_000_000;
  return coarse + (to.micros - from.micros - coarse | 0);
}

/** The memory of a stream's trace records. */
export class TraceRing {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #view: DataView;
  readonly #pointer: NonNullable<Deno.PointerValue>;
  readonly #clock = new MicrosClock();

  /** @param slots a power of two, greater than {@link MARGIN} */
  constructor(private readonly slots = SLOTS) {
    this.memory = new SharedArrayBuffer(HEADER_BYTES + slots * SLOT_BYTES);
    this.#words = new Int32Array(this.memory);
    this.#view = new DataView(this.memory);
    this.#pointer = addressOf(this.#words as unknown as Int32Array<ArrayBuffer>);
  }

  /** For {@link TraceWriter.at}; valid for as long as this object is kept. */
  get address(): Address {
    return String(Deno.UnsafePointer.value(this.#pointer));
  }

  /** Reads what is written from now on. */
  follow(): TraceReader {
    return new TraceReader(this, this.written, this.now());
  }

  /** Reads what there is; undefined if that is nothing. */
  past(): TraceReader | undefined {
    for (;;) {
      const { written, oldest } = this;
      if (written === oldest) return undefined;
      const start = this.#instant(oldest);
      // A thread that was held up in between may have read what was written over the oldest record.
      if ((this.oldest - oldest | 0) < MARGIN) return new TraceReader(this, oldest, start);
    }
  }

  now(): Instant {
    const micros = this.#clock.now();
    return { micros, seconds: this.#clock.seconds };
  }

  /** The number of records ever written, in 32 bits. */
  get written(): number {
    return Atomics.load(this.#words, WRITTEN);
  }

  /** The number of the oldest record that is there. */
  get oldest(): number {
    const { written } = this;
    // The count wraps after weeks. Then old records are not read until the ring is full once more.
    return written >= 0 && written < this.slots - MARGIN ? 0 : written - this.slots + MARGIN | 0;
  }

  /** The record of this number, with its time since `start`. The engine may be writing over it: then its kind may be anything. */
  record(number: number, start: Instant): TraceRecord {
    const at = this.#at(number);
    const kind = this.#view.getInt32(at, true);
    const body = new Uint8Array(this.memory, at + HEAD_BYTES, BODY_BYTES[kind] ?? 0).slice();
    return { kind, time: Math.max(0, micros(start, this.#instant(number))), body };
  }

  #instant(number: number): Instant {
    const at = this.#at(number);
    return { seconds: this.#view.getInt32(at + 4, true), micros: this.#view.getInt32(at + 8, true) };
  }

  #at(number: number): number {
    return HEADER_BYTES + (number & this.slots - 1) * SLOT_BYTES;
  }
}

/** Reads a {@link TraceRing} from one record on. Times are µs since `start`. */
export class TraceReader {
  constructor(private readonly ring: TraceRing, private next: number, private readonly start: Instant) {}

  /** µs from the start until now. */
  now(): number {
    return micros(this.start, this.ring.now());
  }

  /** Takes the records that are there, oldest first, `limit` at most. The first says how many are missing, if any are. */
  take(limit = SLOTS): TraceRecord[] {
    const { ring } = this;
    const first = later(this.next, ring.oldest);
    const count = Math.min(ring.written - first | 0, limit);
    const records = Array.from({ length: count }, (_, i) => ring.record(first + i | 0, this.start));
    // What the engine has written over meanwhile is not what it was.
    const overtaken = Math.min(count, later(first, ring.oldest) - first | 0);
    records.splice(0, overtaken);
    const lost = (first - this.next | 0) + overtaken;
    this.next = first + count | 0;
    if (lost > 0) records.unshift(lostRecord(records[0]?.time ?? this.now(), lost));
    return records;
  }
}

/** The later one of two numbers of records. */
function later(a: number, b: number): number {
  return (b - a | 0) > 0 ? b : a;
}

/** The slots in a ring's memory: a power of two. */
function slotsIn(memory: ArrayBuffer | SharedArrayBuffer): number {
  const slots = (memory.byteLength - HEADER_BYTES) / SLOT_BYTES;
  if (!Number.isInteger(slots) || slots <= MARGIN || (slots & slots - 1) !== 0) {
    throw new RangeError(`${memory.byteLength} octets are not a trace ring`);
  }
  return slots;
}
