/** One stream of the engine in this thread, on a dummy card in real time, with its guest's end in the test's hands. */
import { addressOf } from "../../ffi/libc.ts";
import { EngineStream } from "../../lib/backend/engine_stream.ts";
import type { Address } from "../../lib/backend/messages.ts";
import { createStatusTable, StatusRow } from "../../lib/backend/stream_status.ts";
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
} from "../../lib/sndif/mod.ts";
import type { EventChannels } from "../../lib/xen/ports.ts";

export const BUFFER_BYTES = 16384;
const RATE = 192_000;
const FRAME_BYTES = 4;

const address = (memory: Uint8Array<ArrayBuffer>): Address =>
  String(Deno.UnsafePointer.value(addressOf(memory)));

/** Open for playback, and prepared. */
export class EngineRig implements Disposable {
  readonly stream: EngineStream;
  readonly status = new StatusRow(createStatusTable(1), 0);
  readonly #page = new Uint8Array(4096);
  readonly #events = new Uint8Array(4096);
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #ring: FrontRing;
  readonly #response = new ResponseView();
  readonly #eventWords = new Int32Array(this.#events.buffer);
  #id = 0;

  constructor() {
    initSharedRing(this.#page.buffer);
    this.#ring = new FrontRing(this.#page.buffer);
    // Nobody is at the other end: what Xen does with an event is not tested here.
    const channels = { notify: () => 0 } as unknown as EventChannels;
    this.stream = new EngineStream(
      {
        op: "attach",
        slot: 0,
        direction: "playback",
        ring: address(this.#page),
        eventPage: address(this.#events),
        requestPort: 1,
        eventPort: 2,
        hold: "none",
        settings: { volume: 0, muted: false },
      },
      { channels, post: () => {}, pollSetChanged: () => {} },
      this.status,
    );
    this.#open();
  }

  #open(): void {
    const format = formatByName("s16_le")!.code;
    const sizes = { bufferSz: BUFFER_BYTES, periodSz: BUFFER_BYTES / 4 };
    const open = { pcmRate: RATE, pcmFormat: format, pcmChannels: 2, grefDirectory: 0, ...sizes };
    encodeOpenRequest(this.#ring.view, this.#ring.reserve(), this.#id, open);
    this.#ring.pushRequests();
    this.stream.serveRing();
    const params = {
      direction: "playback",
      rate: RATE,
      channels: 2,
      format,
      frameBytes: FRAME_BYTES,
      bufferFrames: BUFFER_BYTES / FRAME_BYTES,
      periodFrames: RATE / 1000,
    } as const;
    this.stream.opened({
      op: "opened",
      slot: 0,
      buffer: address(this.#buffer),
      mappedBytes: BUFFER_BYTES,
      open,
      pcm: { kind: "dummy", params, fd: -1 },
    });
    if (this.#answer() !== 0) throw new Error("it does not open");
  }

  /** Has the engine serve the request that was put on the ring; returns its status. */
  #answer(): number {
    this.stream.serveRing();
    if (this.#ring.take(this.#response) !== Taken.one) throw new Error("no answer");
    this.#ring.finalCheckForResponses();
    return this.#response.status;
  }

  /** WRITE of octets of the buffer. Allocates nothing, as all that follows. */
  write(offset: number, length: number): number {
    this.#id = this.#id + 1 & 0xffff;
    encodeRwRequest(this.#ring.view, this.#ring.reserve(), this.#id, XENSND_OP_WRITE, offset, length);
    this.#ring.pushRequests();
    return this.#answer();
  }

  trigger(type: number): number {
    this.#id = this.#id + 1 & 0xffff;
    encodeTriggerRequest(this.#ring.view, this.#ring.reserve(), this.#id, type);
    this.#ring.pushRequests();
    return this.#answer();
  }

  /** The guest takes all events that there are. */
  takeEvents(): void {
    Atomics.store(this.#eventWords, 0, Atomics.load(this.#eventWords, 1));
  }

  [Symbol.dispose](): void {
    this.stream.detach();
  }
}
