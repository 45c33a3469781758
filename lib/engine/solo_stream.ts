// SPDX-License-Identifier: MIT
/**
 * One stream of the engine, in this thread and on a dummy device in real time. The caller is its guest. The engine's JIT
 * warm-up uses it, and tests do.
 */
import { addressOf } from "../../ffi/libc/pointers.ts";
import {
  encodeOpenRequest,
  encodeRwRequest,
  encodeTriggerRequest,
  formatByName,
  FrontRing,
  initSharedRing,
  ResponseView,
  Taken,
  XENSND_OP_WRITE,
} from "../sndif/mod.ts";
import { DEFAULT_PARAMS } from "../vsnd/model/card.ts";
import type { EventChannels } from "../xen/ports.ts";
import { EngineStream } from "./engine_stream.ts";
import { GuestBudget } from "./guest_budget.ts";
import type { Address, EngineEvent } from "../bridge/messages.ts";
import { createStatusTable, StatusRow } from "../bridge/stream_status.ts";
import { TraceRing } from "../bridge/trace_ring.ts";

/** Octets of the guest's sample buffer, by default. */
export const BUFFER_BYTES = 16384;
export const RATE = 192_000;
const FRAME_BYTES = 4;
/** The device's parameters. */
const PARAMS = {
  direction: "playback",
  rate: RATE,
  channels: 2,
  format: formatByName("s16_le")!.code,
  frameBytes: FRAME_BYTES,
  bufferFrames: BUFFER_BYTES / FRAME_BYTES,
  periodFrames: RATE / 1000,
} as const;

/** A dummy device that appends the samples it plays to the descriptor `fd`; -1: to none. */
export const dummyDevice = (fd: number) => ({ kind: "dummy", params: PARAMS, fd }) as const;

const address = (memory: Uint8Array<ArrayBuffer>): Address =>
  String(Deno.UnsafePointer.value(addressOf(memory)));

export interface SoloOptions {
  /** The descriptor to which the device appends the samples it plays. */
  readonly fd?: number;
  readonly bufferBytes?: number;
  /** By default a quarter of the buffer. */
  readonly periodBytes?: number;
  /** What the next daemon goes on by: `KEPT_BYTES` of memory. */
  readonly kept?: Uint8Array<ArrayBuffer>;
}

/** A stream that is open for playback, and prepared. */
export class SoloStream implements Disposable {
  readonly stream: EngineStream;
  readonly status = new StatusRow(createStatusTable(1), 0);
  /** What passes on the rings. */
  readonly records = new TraceRing();
  readonly #page = new Uint8Array(4096);
  protected readonly events = new Uint8Array(4096);
  /** The guest's sample buffer. */
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** The engine's messages to the main thread. */
  readonly told: EngineEvent[] = [];
  protected readonly ring: FrontRing;
  protected readonly response = new ResponseView();
  readonly #eventWords = new Int32Array(this.events.buffer);
  protected id = 0;

  constructor({ fd = -1, bufferBytes = BUFFER_BYTES, periodBytes, kept }: SoloOptions = {}) {
    this.buffer = new Uint8Array(bufferBytes);
    initSharedRing(this.#page.buffer);
    this.ring = new FrontRing(this.#page.buffer);
    // Nobody is at the other end.
    const channels = { notify: () => 0 } as unknown as EventChannels;
    this.stream = new EngineStream(
      {
        op: "attach",
        slot: 0,
        domid: 0,
        direction: "playback",
        allowed: { ...DEFAULT_PARAMS, rates: [8000, RATE] },
        ring: address(this.#page),
        eventPage: address(this.events),
        requestPort: 1,
        eventPort: 2,
        hold: "none",
        requests: 1_000_000,
        moved: 100_000,
        settings: { volume: 0, muted: false },
        trace: this.records.address,
        kept: kept === undefined ? null : address(kept),
        resumes: false,
      },
      { channels, post: (event) => this.told.push(event), pollSetChanged: () => {} },
      this.status,
      new GuestBudget(1_000_000, 100_000),
    );
    this.#open(fd, periodBytes ?? bufferBytes / 4);
  }

  #open(fd: number, periodBytes: number): void {
    const { format, channels } = PARAMS;
    const sizes = { bufferSz: this.buffer.length, periodSz: periodBytes };
    const open = { pcmRate: RATE, pcmFormat: format, pcmChannels: channels, grefDirectory: 0, ...sizes };
    encodeOpenRequest(this.ring.view, this.ring.reserve(), this.id, open);
    this.ring.pushRequests();
    this.stream.serveRing();
    this.stream.opened({
      op: "opened",
      slot: 0,
      buffer: address(this.buffer),
      mappedBytes: this.buffer.length,
      open,
      pcm: dummyDevice(fd),
      isStandIn: false,
      isDenied: false,
    });
    if (this.#answer() !== 0) throw new Error("the stream does not open");
  }

  /** Has the engine serve the request on the ring; returns the answer's status. */
  #answer(): number {
    this.stream.serveRing();
    if (this.ring.take(this.response) !== Taken.one) throw new Error("no answer");
    this.ring.finalCheckForResponses();
    return this.response.status;
  }

  /** WRITE of `length` octets at `offset` of the buffer; returns the answer's status. Allocates nothing, as all that follows. */
  write(offset: number, length: number): number {
    return this.request(XENSND_OP_WRITE, offset, length);
  }

  /** A request about `length` octets at `offset` of the buffer; returns the answer's status. */
  request(operation: number, offset: number, length: number): number {
    this.id = this.id + 1 & 0xffff;
    encodeRwRequest(this.ring.view, this.ring.reserve(), this.id, operation, offset, length);
    this.ring.pushRequests();
    return this.#answer();
  }

  /** TRIGGER of `XENSND_OP_TRIGGER_*`; returns the answer's status. */
  trigger(type: number): number {
    this.id = this.id + 1 & 0xffff;
    encodeTriggerRequest(this.ring.view, this.ring.reserve(), this.id, type);
    this.ring.pushRequests();
    return this.#answer();
  }

  /** The guest takes all events on the page. */
  takeEvents(): void {
    Atomics.store(this.#eventWords, 0, Atomics.load(this.#eventWords, 1));
  }

  [Symbol.dispose](): void {
    this.stream.detach();
  }
}
