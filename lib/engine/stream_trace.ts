// SPDX-License-Identifier: MIT
/** Records at all times what passes on a stream, for `xsnd trace`. Nothing here allocates, blocks or throws. */
import { MicrosClock } from "../../ffi/libc/micros_clock.ts";
import type { Pcm } from "../pcm/pcm.ts";
import type { EventPageProducer, HwParam, RequestView } from "../sndif/mod.ts";
import type { RecordKind } from "../trace/trace_format.ts";
import type { Address } from "../bridge/messages.ts";
import type { StatusRow } from "../bridge/stream_status.ts";
import { TraceWriter } from "../bridge/trace_ring.ts";

/** Samples between two records of the stream's parameters: the last 30 s of a stream have some. */
const SAMPLES = 1024;

export class StreamTrace {
  #writer: TraceWriter | undefined;
  readonly #clock = new MicrosClock();
  #samples = 0;

  /** @param ring where the records go: a `TraceRing`'s address */
  constructor(private readonly status: StatusRow, ring: Address) {
    this.#writer = TraceWriter.at(ring);
  }

  /** Writes nothing any more. */
  end(): void {
    this.#writer = undefined;
  }

  mark(kind: typeof RecordKind.connected | typeof RecordKind.disconnected): void {
    this.#writer?.mark(kind);
  }

  request(request: RequestView): void {
    this.#writer?.request(request);
  }

  response(id: number, operation: number, status: number): void {
    this.#writer?.response(id, operation, status);
  }

  hwParamResponse(id: number, param: HwParam): void {
    this.#writer?.hwParamResponse(id, param);
  }

  /** The stream's status row, as of when `pcm` was last asked for its pointer. */
  sample(pcm: Pcm | undefined): void {
    if (this.#writer === undefined) return;
    if (pcm !== undefined) this.#writeParameters(this.#writer);
    const time = this.#clock.now();
    this.#writer.sample(this.status, pcm === undefined ? time : time - pcm.pointerAge(time) | 0);
  }

  /** The stream has been opened: the next sample is that of other parameters. */
  opened(): void {
    this.#samples = 0;
  }

  #writeParameters(writer: TraceWriter): void {
    if (this.#samples === 0) writer.parameters(this.status);
    this.#samples = (this.#samples + 1) % SAMPLES;
  }

  /** An xrun has begun, or `isOver`: see `XrunRecord`. */
  xrun(fromFrame: number, frames: number, seconds: number, isHosts: boolean, isOver: boolean): void {
    this.#writer?.xrun(fromFrame, frames, seconds, isHosts, isOver);
  }

  /** The event that was published last; two, if {@link EventPageProducer} has published it twice. */
  position(events: EventPageProducer, low: number, high: number): void {
    if (this.#writer === undefined) return;
    const { base } = events;
    const last = events.inProd - 1;
    if ((base & 0xffff) === 0) return this.#writer.position(last, low, high);
    this.#writer.position(last - 1, low, high);
    this.#writer.position(last - base, low, high);
  }
}
