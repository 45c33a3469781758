// SPDX-License-Identifier: MIT
/**
 * The ring through which one stream's trace records pass from the engine to the main thread: fixed slots in a
 * SharedArrayBuffer, which exists only while somebody traces. The engine never waits: records that do not fit are dropped,
 * and the next free slot holds how many.
 *
 * One writer, one reader. Layout: int32 slots ever written, int32 slots ever read, int32 records dropped since the last slot,
 * padding up to octet 16; then the slots: uint32 kind (`RecordKind`), int32 time (`MicrosClock`), a body of 64 octets.
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
import { LOST_BYTES, POSITION_AT, POSITION_BYTES, XRUN_AT, XRUN_BYTES } from "../trace/record_layout.ts";
import { RecordKind, type TraceRecord } from "../trace/trace_format.ts";
import type { Address } from "./messages.ts";
import type { StatusRow } from "./stream_status.ts";

const HEADER_BYTES = 16;
const WRITTEN = 0;
const READ = 1;
const LOST = 2;
const SLOT_BYTES = 8 + PACKET_SIZE;
/** A power of two: some seconds of a busy stream. */
const SLOTS = 8192;

/** Octets of a body, by kind. */
const BODY_BYTES: Readonly<Record<number, number>> = {
  [RecordKind.request]: PACKET_SIZE,
  [RecordKind.response]: PACKET_SIZE,
  [RecordKind.event]: PACKET_SIZE,
  [RecordKind.position]: POSITION_BYTES,
  [RecordKind.connected]: 0,
  [RecordKind.disconnected]: 0,
  [RecordKind.lost]: LOST_BYTES,
  [RecordKind.xrun]: XRUN_BYTES,
};

/** The engine's end. Nothing here allocates after construction, blocks or throws. */
export class TraceWriter {
  readonly #view: DataView;
  readonly #words: Int32Array;
  readonly #slots: number;
  readonly #clock = new MicrosClock();

  /** @param memory a {@link TraceReader}'s */
  constructor(memory: ArrayBuffer | SharedArrayBuffer) {
    this.#view = new DataView(memory);
    this.#words = new Int32Array(memory);
    this.#slots = slotsIn(memory);
  }

  /** Over the memory of another thread's {@link TraceReader}, which must outlive this. */
  static at(address: Address): TraceWriter {
    return new TraceWriter(mappedBuffer(address, HEADER_BYTES + SLOTS * SLOT_BYTES));
  }

  request(request: RequestView): void {
    const at = this.#begin(RecordKind.request);
    if (at < 0) return;
    request.copyTo(this.#words, at >> 2);
    this.#end();
  }

  response(id: number, operation: number, status: number): void {
    const at = this.#begin(RecordKind.response);
    if (at < 0) return;
    encodeResponse(this.#view, at, id, operation, status);
    this.#end();
  }

  hwParamResponse(id: number, param: HwParam): void {
    const at = this.#begin(RecordKind.response);
    if (at < 0) return;
    encodeHwParamResponse(this.#view, at, id, param);
    this.#end();
  }

  /** As {@link encodeCurPosEvent}. */
  position(id: number, low: number, high: number): void {
    const at = this.#begin(RecordKind.event);
    if (at < 0) return;
    encodeCurPosEvent(this.#view, at, id, low, high);
    this.#end();
  }

  /** A sample of `row`. @param time when the pointer in `row` was read, by `MicrosClock` */
  sample(row: StatusRow, time: number): void {
    const at = this.#begin(RecordKind.position);
    if (at < 0) return;
    const view = this.#view;
    view.setInt32(at - 4, time, true);
    view.setFloat64(at + POSITION_AT.positionFrames, row.get("positionFrames"), true);
    view.setFloat64(at + POSITION_AT.guestFrames, row.get("guestFrames"), true);
    view.setFloat64(at + POSITION_AT.cardFrames, row.get("cardFrames"), true);
    view.setFloat64(at + POSITION_AT.lateFrames, row.get("lateFrames"), true);
    view.setUint32(at + POSITION_AT.xruns, row.get("xruns"), true);
    view.setUint32(at + POSITION_AT.hostXruns, row.get("hostXruns"), true);
    view.setUint32(at + POSITION_AT.state, row.get("state"), true);
    view.setUint32(at + POSITION_AT.hold, row.get("hold"), true);
    view.setUint32(at + POSITION_AT.cardLost, row.get("cardLost"), true);
    this.#end();
  }

  /** As `XrunRecord`. */
  xrun(fromFrame: number, frames: number, seconds: number, isHosts: boolean, isOver: boolean): void {
    const at = this.#begin(RecordKind.xrun);
    if (at < 0) return;
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
    if (this.#begin(kind) >= 0) this.#end();
  }

  /** Begins a record, which {@link #end} publishes. Returns the octet of its body; -1 if there is no room. */
  #begin(kind: number): number {
    const words = this.#words;
    const unread = words[WRITTEN]! - Atomics.load(words, READ) | 0;
    const lost = words[LOST]!;
    if (unread + (lost === 0 ? 1 : 2) > this.#slots) {
      words[LOST] = lost + 1;
      return -1;
    }
    if (lost !== 0) {
      this.#view.setInt32(this.#head(RecordKind.lost), lost, true);
      words[LOST] = 0;
      this.#end();
    }
    return this.#head(kind);
  }

  #head(kind: number): number {
    const at = HEADER_BYTES + (this.#words[WRITTEN]! & this.#slots - 1) * SLOT_BYTES;
    this.#view.setInt32(at, kind, true);
    this.#view.setInt32(at + 4, this.#clock.now(), true);
    return at + 8;
  }

  #end(): void {
    Atomics.store(this.#words, WRITTEN, this.#words[WRITTEN]! + 1 | 0);
  }
}

/** The main thread's end, and the memory. */
export class TraceReader {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #view: DataView;
  readonly #pointer: NonNullable<Deno.PointerValue>;
  readonly #clock = new MicrosClock();
  readonly #start = this.#clock.now();
  readonly #startedAt = performance.now();

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

  /** µs since this was made, by the clock of the records. `performance.now` counts that clock's wraps. */
  now(): number {
    const wrapped = this.#clock.now();
    const coarse = Math.round((performance.now() - this.#startedAt) * 1000);
    return coarse + (wrapped - this.#start - coarse | 0);
  }

  /** Takes the records in the ring, oldest first, `limit` at most. */
  take(limit = SLOTS): TraceRecord[] {
    const records: TraceRecord[] = [];
    const read = Atomics.load(this.#words, READ);
    const count = Math.min(Atomics.load(this.#words, WRITTEN) - read | 0, limit);
    // The records' clock has 32 bits, and wraps: their distance from now, which is small, tells their time.
    const now = this.now();
    const wrapped = this.#start + now | 0;
    for (let i = 0; i < count; i++) {
      const at = HEADER_BYTES + (read + i & this.slots - 1) * SLOT_BYTES;
      const kind = this.#view.getInt32(at, true);
      const time = Math.max(0, now + (this.#view.getInt32(at + 4, true) - wrapped | 0));
      const octets = BODY_BYTES[kind];
      if (octets === undefined) throw new Error(`a trace ring has a record of the unknown kind ${kind}`);
      records.push({ kind, time, body: new Uint8Array(this.memory, at + 8, octets).slice() });
    }
    Atomics.store(this.#words, READ, read + count | 0);
    return records;
  }

  /** How many records were dropped since the last one in the ring. Valid once the engine writes no more. */
  get lost(): number {
    return this.#words[LOST]!;
  }
}

/** The slots in a reader's memory: a power of two. */
function slotsIn(memory: ArrayBuffer | SharedArrayBuffer): number {
  const slots = (memory.byteLength - HEADER_BYTES) / SLOT_BYTES;
  if (!Number.isInteger(slots) || slots < 1 || (slots & slots - 1) !== 0) {
    throw new RangeError(`${memory.byteLength} octets are not a trace ring`);
  }
  return slots;
}
