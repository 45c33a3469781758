// SPDX-License-Identifier: MIT
/**
 * A PCM as a guest's application sees it, over a {@link StreamFrontend}: the driver's pointer, and the part of the ALSA core that
 * works on it (`snd_xen_front_alsa_handle_cur_pos`, `snd_pcm_update_hw_ptr`, `snd_pcm_lib_write`). All sizes are in frames; `hwPtr`
 * and `applPtr` count from prepare, as the core's do.
 */
import { XsndError } from "../base/error.ts";
import {
  bufferPages,
  directoryPages,
  formatByCode,
  HwParam,
  type SampleFormat,
  writePageDirectory,
  XENSND_OP_TRIGGER_PAUSE,
  XENSND_OP_TRIGGER_RESUME,
  XENSND_OP_TRIGGER_START,
  XENSND_OP_TRIGGER_STOP,
} from "../sndif/mod.ts";
import type { GrantSharer, SharedPages } from "../xen/ports.ts";
import type { StreamFrontend } from "./stream_frontend.ts";

export interface GuestPcmParams {
  readonly rate: number;
  readonly channels: number;
  /** `XENSND_PCM_FORMAT_*`. */
  readonly format: number;
  /** Wishes, in frames: the nearest that the backend allows is used. By default half a second in four periods. */
  readonly bufferFrames?: number;
  readonly periodFrames?: number;
}

const DEFAULT_BUFFER_SECONDS = 0.5;
const DEFAULT_PERIODS = 4;
const ALL = 0xffffffff;

export class GuestPcm implements Disposable {
  readonly frameBytes: number;
  readonly #format: SampleFormat;
  readonly rate: number;
  bufferFrames = 0;
  periodFrames = 0;
  /** The core's pointers; frames between them are queued. */
  hwPtr = 0;
  applPtr = 0;
  /** Wake-ups for a period (`snd_pcm_period_elapsed`). */
  periods = 0;
  /** Called at each position, after {@link hwPtr} is set. */
  onPosition: () => void = () => {};
  /** Called while waiting for a period, after events that did not end it. */
  onOtherEvents: () => void = () => {};
  #running = false;
  #buffer: SharedPages | undefined;
  #directory: SharedPages | undefined;
  #bytes = new Uint8Array();
  /** The driver's: be_cur_frame, hw_ptr (within the buffer) and out_frames. */
  #beCurFrame = 0;
  #driverPtr = 0;
  #outFrames = 0;
  #hwBase = 0;

  constructor(
    readonly stream: StreamFrontend,
    private readonly sharer: GrantSharer,
    private readonly backendDomid: number,
    private readonly params: GuestPcmParams,
  ) {
    this.rate = params.rate;
    const format = formatByCode(params.format);
    if (format?.octets === undefined) {
      throw new RangeError(`${stream.name}: a buffer holds no samples of format ${params.format}`);
    }
    this.#format = format;
    this.frameBytes = format.octets * params.channels;
    stream.pcmOpened();
    stream.onPosition = () => this.#handleCurPos();
  }

  /** `hw_params`: agrees with the backend on buffer and period, and allocates the shared buffer. */
  hwParams(): void {
    const { format, rate, channels } = this.params;
    const space = new HwParam();
    space.formatsLow = ALL;
    for (const interval of [space.rates, space.channels, space.buffer, space.period]) interval.max = ALL;
    // One query a refinement, as the driver's five rules make them while an application sets its parameters.
    const refine = (what: string) => {
      this.stream.query(space);
      const empty = space.formatsLow === 0 ||
        [space.rates, space.channels, space.buffer, space.period].some(({ min, max }) => min > max);
      if (empty) {
        throw new XsndError(`stream ${this.stream.name} cannot do ${what}; \`xsnd show\` says what it can`);
      }
    };
    refine("anything");
    space.formatsLow = (space.formatsLow & 1 << format) >>> 0;
    refine(`format ${this.#format.name}`);
    restrict(space.channels, channels, channels);
    refine(`${channels} channels`);
    restrict(space.rates, rate, rate);
    refine(`rate ${rate} Hz`);
    const wished = this.params.bufferFrames ?? Math.floor(rate * DEFAULT_BUFFER_SECONDS);
    const period = this.params.periodFrames ??
      Math.floor(Math.min(wished, space.buffer.max) / DEFAULT_PERIODS);
    this.periodFrames = Math.min(Math.max(period, space.period.min), space.period.max);
    restrict(space.period, this.periodFrames, this.periodFrames);
    refine(`a period of ${this.periodFrames} frames`);
    // Whole periods, as most applications ask for.
    const fitting = Math.min(Math.max(wished, space.buffer.min), space.buffer.max);
    this.bufferFrames = Math.max(2, Math.floor(fitting / this.periodFrames)) * this.periodFrames;
    restrict(space.buffer, this.bufferFrames, this.bufferFrames);
    refine(`a buffer of ${this.bufferFrames} frames`);
    this.#allocate(this.bufferFrames * this.frameBytes);
  }

  #allocate(bytes: number): void {
    this.#free();
    const pages = bufferPages(bytes);
    this.#buffer = this.sharer.share(this.backendDomid, pages, "write");
    this.#directory = this.sharer.share(this.backendDomid, directoryPages(pages), "write");
    writePageDirectory(new Uint32Array(this.#directory.buffer), this.#directory.grefs, this.#buffer.grefs);
    this.#bytes = new Uint8Array(this.#buffer.buffer, 0, bytes);
  }

  /** The first `prepare`: OPEN. */
  open(): void {
    const { format, rate, channels } = this.params;
    this.stream.open({
      pcmRate: rate,
      pcmFormat: format,
      pcmChannels: channels,
      bufferSz: this.bufferFrames * this.frameBytes,
      grefDirectory: this.#directory!.grefs[0]!,
      periodSz: this.periodFrames * this.frameBytes,
    });
    this.#beCurFrame = this.#driverPtr = this.#outFrames = 0;
    this.prepare();
  }

  /** A later `prepare`: sends nothing. The core starts at the buffer's beginning; the driver's pointer stays. */
  prepare(): void {
    this.hwPtr = this.applPtr = this.#hwBase = 0;
  }

  start(): void {
    this.stream.trigger(XENSND_OP_TRIGGER_START);
    this.#running = true;
  }

  stop(): void {
    this.stream.trigger(XENSND_OP_TRIGGER_STOP);
    this.#running = false;
  }

  /** As the guest's suspend and resume. */
  pause(enable: boolean): void {
    this.stream.trigger(enable ? XENSND_OP_TRIGGER_PAUSE : XENSND_OP_TRIGGER_RESUME);
  }

  /** `hw_free`: CLOSE, and the buffer is freed. */
  close(): void {
    this.#running = false;
    this.stream.close();
    this.#free();
  }

  get running(): boolean {
    return this.#running;
  }

  /** Playback: frames of room; more than the buffer is an underrun. */
  get playbackAvail(): number {
    return this.bufferFrames - (this.applPtr - this.hwPtr);
  }

  /** Capture: frames to read; more than the buffer is an overrun. */
  get captureAvail(): number {
    return this.hwPtr - this.applPtr;
  }

  /** Writes `samples`: whole frames, no more than {@link playbackAvail}. */
  write(samples: Uint8Array): void {
    this.#eachChunk(samples.length, (offset, from, length) => {
      this.#bytes.set(samples.subarray(from, from + length), offset);
      this.stream.write(offset, length);
    });
  }

  /** Reads into `samples`: whole frames, no more than {@link captureAvail}. */
  read(samples: Uint8Array): void {
    this.#eachChunk(samples.length, (offset, from, length) => {
      this.stream.read(offset, length);
      samples.set(this.#bytes.subarray(offset, offset + length), from);
    });
  }

  /** The parts of `length` octets from applPtr on that do not cross the buffer's end. */
  #eachChunk(length: number, transfer: (offset: number, from: number, length: number) => void): void {
    for (let from = 0; from < length;) {
      const offset = (this.applPtr % this.bufferFrames) * this.frameBytes;
      const part = Math.min(length - from, this.#bytes.length - offset);
      transfer(offset, from, part);
      this.applPtr += part / this.frameBytes;
      from += part;
    }
  }

  /** Takes the events that have come, without waiting. */
  takeEvents(): void {
    while (this.stream.waitForEvents(0));
  }

  /** Whether a playback device that runs has played all that was written, as the core's `stop_threshold` has it. */
  get isDry(): boolean {
    return this.#running && this.playbackAvail >= this.bufferFrames;
  }

  /** As `xen_snd_front_alsa_handle_cur_pos`, and then as the core updates `hw_ptr` from the driver's pointer. */
  #handleCurPos(): void {
    const frame = this.stream.positionBytes / this.frameBytes;
    const delta = frame - this.#beCurFrame;
    this.#beCurFrame = frame;
    this.#driverPtr = (this.#driverPtr + delta) % this.bufferFrames;
    this.#outFrames += delta;
    if (this.#outFrames > this.periodFrames) {
      this.#outFrames %= this.periodFrames;
      if (this.#running) this.periods++;
    }
    if (!this.#running) return;
    let position = this.#hwBase + this.#driverPtr;
    if (position < this.hwPtr) {
      this.#hwBase += this.bufferFrames;
      position += this.bufferFrames;
    }
    this.hwPtr = position;
    this.onPosition();
  }

  #free(): void {
    this.#buffer?.[Symbol.dispose]();
    this.#directory?.[Symbol.dispose]();
    this.#buffer = this.#directory = undefined;
  }

  [Symbol.dispose](): void {
    this.stream.onPosition = () => {};
    this.#free();
  }
}

function restrict(interval: { min: number; max: number }, min: number, max: number): void {
  interval.min = Math.max(interval.min, min);
  interval.max = Math.min(interval.max, max);
}
