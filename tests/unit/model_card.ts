// SPDX-License-Identifier: MIT
/**
 * A model of a device, on a clock that the test sets: what passes the device is known frame by frame. A frame is a 32-bit number;
 * 0 is silence. The three kinds of devices differ in how they run dry.
 */
import { type Direction, type Pcm, type PcmParams, STAGING_BYTES } from "../../lib/pcm/pcm.ts";
import { formatByName } from "../../lib/sndif/mod.ts";

export const FRAME_BYTES = 4;
const EPIPE = 32;
const ENOSYS = 38;
/** Periods of silence that plugins always have queued: `KEEP_AHEAD` of `AlsaPcm`. */
const KEEP_AHEAD = 4;

/** `hardware` plays silence by itself; `plugins` wait, and have silence queued before that; `stopping` stops with -EPIPE. */
export const KINDS = ["hardware", "plugins", "stopping"] as const;

export interface ModelCardOptions {
  readonly bufferFrames: number;
  readonly periodFrames: number;
  readonly kind: typeof KINDS[number];
  readonly canPause: boolean;
  /** Capture: whether the device records silence. */
  readonly isSilent?: boolean;
  readonly staging?: ArrayBuffer;
}

export class ModelCard implements Pcm {
  readonly params: PcmParams;
  readonly staging: ArrayBuffer;
  readonly pollFd = -1;
  readonly pollEvents = 0;
  readonly stopFd = -1;
  readonly mayStand = false;
  readonly #samples: Uint32Array<ArrayBuffer>;
  #isRunning = false;
  /** Since prepare: the device's pointer, the pointer as last read, and the end of what was written or read. */
  #pointer = 0;
  #seen = 0;
  #applFrames = 0;
  /** The errno of every call until prepare, negative. */
  #error = 0;
  /** Playback: frames that are queued. Capture: frames that are recorded, the last `bufferFrames` of them. */
  #queue: number[] = [];
  /** Frames that one write or read takes at most. */
  limit = Infinity;
  /** Playback: all frames that the device has played. */
  readonly played: number[] = [];
  /** Capture: the number of the frame recorded last. */
  recorded = 0;

  constructor(direction: Direction, private readonly options: ModelCardOptions) {
    const { bufferFrames, periodFrames, staging = new ArrayBuffer(STAGING_BYTES) } = options;
    this.staging = staging;
    this.#samples = new Uint32Array(staging);
    const format = formatByName("s32_le")!.code;
    this.params = {
      ...{ direction, rate: 1000, channels: 1, format, frameBytes: FRAME_BYTES },
      ...{ bufferFrames, periodFrames },
    };
  }

  /** Time passes. */
  advance(frames: number): void {
    for (let i = 0; i < frames && this.#isRunning; i++) {
      if (this.params.direction === "playback") this.#play();
      else this.#record();
    }
  }

  #play(): void {
    const { kind } = this.options;
    const isDry = this.#pointer >= this.#applFrames;
    if (isDry && kind === "stopping") return this.fail(-EPIPE);
    if (isDry && kind === "plugins") return;
    this.played.push(isDry ? 0 : this.#queue.shift()!);
    this.#pointer++;
  }

  #record(): void {
    const { bufferFrames } = this.params;
    if (this.options.kind === "stopping" && this.#pointer - this.#applFrames >= bufferFrames) {
      return this.fail(-EPIPE);
    }
    this.#queue.push(this.options.isSilent ? 0 : ++this.recorded);
    if (this.#queue.length > bufferFrames) this.#queue.shift();
    this.#pointer++;
  }

  /** The device has stopped, and fails with `error` (-errno) until it is prepared. */
  fail(error: number): void {
    this.#isRunning = false;
    this.#error = error;
  }

  position(): number {
    return this.#read(this.#pointer);
  }

  /** As of the last interrupt. Plugins are asked each time, as by `AlsaPcm`. */
  pointer(): number {
    const { kind, periodFrames } = this.options;
    const atInterrupt = this.#pointer - this.#pointer % periodFrames;
    return this.#read(kind === "plugins" ? this.#pointer : Math.max(this.#seen, atInterrupt));
  }

  #read(pointer: number): number {
    if (this.#error !== 0) return this.#error;
    return this.#seen = pointer;
  }

  keepGoing(): void {
    if (this.#isRunning && this.options.kind === "plugins") this.#queueSilence();
  }

  #queueSilence(): void {
    const { bufferFrames, periodFrames } = this.params;
    while (this.#applFrames < this.#seen + Math.min(bufferFrames, KEEP_AHEAD * periodFrames)) {
      const taken = Math.min(periodFrames, bufferFrames - (this.#applFrames - this.#seen));
      for (let i = 0; i < taken; i++) this.#queue.push(0);
      this.#applFrames += taken;
    }
  }

  avail(): number {
    const { direction, bufferFrames } = this.params;
    const queued = this.#applFrames - this.#seen;
    return Math.max(0, Math.min(bufferFrames, direction === "playback" ? bufferFrames - queued : -queued));
  }

  next(): number {
    const { direction, bufferFrames, periodFrames } = this.params;
    if (direction === "playback") this.#applFrames = Math.max(this.#applFrames, this.#seen);
    else if (this.#pointer - this.#applFrames > bufferFrames) {
      // More are about to be overwritten.
      this.#applFrames = Math.min(this.#pointer, this.#pointer - bufferFrames + periodFrames);
    }
    return this.#applFrames;
  }

  write(frames: number): number {
    if (this.#error !== 0) return this.#error;
    const count = Math.min(frames, this.avail(), this.limit);
    for (let i = 0; i < count; i++) {
      // Behind the pointer the device plays nothing of it any more.
      if (this.#applFrames + i >= this.#pointer) this.#queue.push(this.#samples[i]!);
    }
    this.#applFrames += count;
    return count;
  }

  read(frames: number): number {
    if (this.#error !== 0) return this.#error;
    const oldest = this.#pointer - this.#queue.length;
    const count = Math.min(frames, this.#pointer - this.#applFrames, this.limit);
    if (count <= 0) return 0;
    for (let i = 0; i < count; i++) this.#samples[i] = this.#queue[this.#applFrames - oldest + i]!;
    this.#applFrames += count;
    return count;
  }

  start(): number {
    if (this.#error !== 0) return this.#error;
    this.#isRunning = true;
    const isEmpty = this.params.direction === "playback" && this.#applFrames === 0;
    if (isEmpty && this.options.kind === "plugins") this.#queueSilence();
    return 0;
  }

  drop(): number {
    this.#isRunning = false;
    return 0;
  }

  prepare(): number {
    this.#isRunning = false;
    this.#pointer =
      this.#seen =
      this.#applFrames =
      this.#error =
        0;
    this.#queue = [];
    return 0;
  }

  pause(enable: boolean): number {
    if (!this.options.canPause) return -ENOSYS;
    if (this.#error !== 0) return this.#error;
    this.#isRunning = !enable;
    return 0;
  }

  acknowledge(): void {}
  noteInterrupt(): boolean {
    return false;
  }
  interruptAge(): number {
    return 0;
  }
  pointerAge(): number {
    return 0;
  }

  standAside(): number {
    return this.position();
  }

  release(): void {
    this.#isRunning = false;
  }
}
