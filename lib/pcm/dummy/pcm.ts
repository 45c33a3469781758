// SPDX-License-Identifier: MIT
/**
 * The dummy device in the engine's thread: a device without hardware, whose pointer follows CLOCK_MONOTONIC. As of a real device,
 * the pointer is known as of the last interrupt. Playback appends the samples that the pointer has passed to a file; capture
 * takes its samples from a file. Without a file playback discards its samples, and capture gives silence.
 *
 * Like a real device, playback does not stop in an underrun, but plays silence. Silence reaches the file only if samples follow,
 * so that the file has no silence from the time that the other end took to stop. A long silence is shortened in the file.
 */
import { errno } from "../../../ffi/libc/failed_call.ts";
import { libc, POLL } from "../../../ffi/libc/libc.ts";
import { addressOf } from "../../../ffi/libc/pointers.ts";
import { TimerFd } from "../../../ffi/libc/timer_fd.ts";
import { copyMemory, Memory, writeMemory } from "../../../ffi/libc/memory.ts";
import { fillSilence, type SampleFormat, XEN_EAGAIN, XEN_EIO } from "../../sndif/mod.ts";
import { type Pcm, type PcmParams, sampleFormatOf, STAGING_BYTES } from "../pcm.ts";

/** A dummy device, for the engine's thread. The main thread has opened the file. */
export interface DummyDescriptor {
  readonly kind: "dummy";
  readonly params: PcmParams;
  /** Where raw frames are appended (playback) or read (capture); -1: no file. */
  readonly fd: number;
}

/** Milliseconds of a monotonic clock. A test may bring its own. */
export type Clock = () => number;

/** The most octets of one silence in the file: a guest that writes nothing for a week must not fill a disk. */
const SILENCE_BYTES = 1 << 18;

export class DummyPcm implements Pcm {
  readonly params: PcmParams;
  readonly #timer: TimerFd;
  readonly #isTimerBorrowed: boolean;
  readonly #clock: Clock;
  readonly #fd: number;
  readonly #format: SampleFormat;
  readonly #silence = new Uint8Array(STAGING_BYTES);
  readonly #silenceMemory = Memory.of(this.#silence.buffer);
  readonly #stagingBytes: Uint8Array<ArrayBuffer>;
  readonly #stagingAddress: NonNullable<Deno.PointerValue>;
  /** Frames written or read by the engine since prepare, silence included. */
  #applFrames = 0;
  /** A ring of the size of the device's buffer. Samples go from here to the file when the pointer passes them. */
  readonly #ringBuffer: ArrayBuffer;
  readonly #ring: Memory;
  readonly #stagingMemory: Memory;
  #filedFrames = 0;
  /** The clock's time when the pointer last began to move; undefined while it stands still. */
  #startedAt: number | undefined;
  /** The pointer's position before that move, or now while it stands still. */
  #standsAt = 0;
  /** The pointer as last read, and the time (in an array: V8 allocates an object for a fraction in a field). */
  #pointer = 0;
  readonly #foundAt = new Float64Array(1);
  /** The first errno of a write to the file, or 0. */
  fileError = 0;

  /** @param timer a timer that outlives the device; by default the device has its own */
  constructor(
    descriptor: DummyDescriptor,
    clock: Clock = () => performance.now(),
    readonly staging = new ArrayBuffer(STAGING_BYTES),
    timer?: TimerFd,
  ) {
    this.#timer = timer ?? new TimerFd();
    this.#isTimerBorrowed = timer !== undefined;
    this.params = descriptor.params;
    this.#stagingBytes = new Uint8Array(staging);
    this.#stagingAddress = addressOf(this.#stagingBytes);
    this.#stagingMemory = Memory.of(staging);
    this.#fd = descriptor.fd;
    this.#clock = clock;
    const { bufferFrames, frameBytes } = this.params;
    this.#format = sampleFormatOf(this.params);
    fillSilence(this.#format, this.#silence, 0, STAGING_BYTES);
    this.#ringBuffer = new ArrayBuffer(bufferFrames * frameBytes);
    this.#ring = Memory.of(this.#ringBuffer);
  }

  get pollFd(): number {
    return this.#timer.fd;
  }

  readonly pollEvents = POLL.IN;
  readonly stopFd = -1;
  readonly mayStand = false;

  acknowledge(): void {
    this.#timer.drain();
    this.position();
    if (this.params.direction === "playback") this.#file(Math.min(this.#pointer, this.#applFrames));
  }

  noteInterrupt(): boolean {
    return this.#startedAt !== undefined;
  }

  /** Interrupts come exactly at each period. The last one is the noted one, unless its handling took a period. */
  interruptAge(): number {
    const { periodFrames, rate } = this.params;
    return this.#passed(this.#clock()) % periodFrames * 1e6 / rate | 0;
  }

  position(): number {
    const now = this.#foundAt[0] = this.#clock();
    return this.#pointer = this.#standsAt + this.#passed(now);
  }

  pointer(): number {
    return this.#pointer;
  }

  pointerAge(): number {
    return this.#startedAt === undefined ? 0 : ((this.#clock() - this.#foundAt[0]!) * 1000) | 0;
  }

  /** Frames by which the pointer has moved until `time`, since it last began to move. */
  #passed(time: number): number {
    if (this.#startedAt === undefined) return 0;
    return Math.floor((time - this.#startedAt) * this.params.rate / 1000);
  }

  avail(): number {
    const ahead = this.params.direction === "playback"
      ? this.params.bufferFrames - (this.#applFrames - this.#pointer)
      : this.position() - this.#applFrames;
    return Math.max(0, Math.min(ahead, this.params.bufferFrames));
  }

  next(): number {
    const ahead = this.#pointer - this.#applFrames;
    if (this.params.direction === "capture") {
      this.#applFrames += Math.max(0, ahead - this.params.bufferFrames);
      return this.#applFrames;
    }
    if (ahead > 0) {
      this.#file(this.#applFrames);
      this.#appendSilence(ahead);
      this.#applFrames = this.#filedFrames = this.#applFrames + ahead;
    }
    return this.#applFrames;
  }

  write(frames: number): number {
    if (this.fileError !== 0) return -XEN_EIO;
    const { bufferFrames, frameBytes } = this.params;
    const count = Math.min(frames, this.avail(), Math.floor(STAGING_BYTES / frameBytes));
    // Frames that make room go to the file before they are overwritten.
    this.#file(Math.min(this.#pointer, this.#applFrames));
    for (let done = 0; done < count;) {
      const at = (this.#applFrames + done) % bufferFrames;
      const part = Math.min(count - done, bufferFrames - at);
      copyMemory(this.#ring, at * frameBytes, this.#stagingMemory, done * frameBytes, part * frameBytes);
      done += part;
    }
    this.#applFrames += count;
    return count;
  }

  keepGoing(): void {}

  read(frames: number): number {
    const { frameBytes } = this.params;
    const count = Math.min(frames, this.avail(), Math.floor(STAGING_BYTES / frameBytes));
    const got = this.#fd < 0 ? 0 : libc().hot_read(this.#fd, this.#stagingAddress, count * frameBytes);
    if (got < 0) this.fileError = errno();
    const missing = got < 0 ? 0 : got - got % frameBytes;
    fillSilence(this.#format, this.#stagingBytes, missing, count * frameBytes);
    this.#applFrames += count;
    return count;
  }

  start(): number {
    this.#standsAt = this.position();
    this.#startedAt = this.#clock();
    const intervalNs = this.params.periodFrames * 1e9 / this.params.rate;
    this.#timer.arm(intervalNs, intervalNs);
    return 0;
  }

  drop(): number {
    if (this.params.direction === "playback") this.#file(Math.min(this.position(), this.#applFrames));
    this.#stand();
    return 0;
  }

  prepare(): number {
    this.#stand();
    this.#standsAt =
      this.#pointer =
      this.#applFrames =
      this.#filedFrames =
        0;
    return 0;
  }

  pause(enable: boolean): number {
    if (enable) this.#stand();
    else this.start();
    return 0;
  }

  standAside(): number {
    return this.position();
  }

  release(): void {
    this.drop();
    if (!this.#isTimerBorrowed) this.#timer[Symbol.dispose]();
  }

  #stand(): void {
    this.#standsAt = this.position();
    this.#startedAt = undefined;
    this.#timer.arm(0);
  }

  /** Appends the ring's frames up to frame `end` to the file. */
  #file(end: number): void {
    const { bufferFrames, frameBytes } = this.params;
    while (this.#filedFrames < end) {
      const at = this.#filedFrames % bufferFrames;
      const count = Math.min(end - this.#filedFrames, bufferFrames - at);
      this.#append(this.#ring, at * frameBytes, count * frameBytes);
      this.#filedFrames += count;
    }
  }

  #append(memory: Memory, offset: number, bytes: number): void {
    if (this.#fd < 0 || this.fileError !== 0) return;
    const written = writeMemory(this.#fd, memory, offset, bytes);
    if (written !== bytes) this.fileError = written < 0 ? errno() : XEN_EAGAIN;
  }

  #appendSilence(frames: number): void {
    const { frameBytes } = this.params;
    const filed = Math.min(frames, Math.floor(SILENCE_BYTES / frameBytes));
    for (let left = filed * frameBytes; left > 0; left -= STAGING_BYTES) {
      this.#append(this.#silenceMemory, 0, Math.min(left, STAGING_BYTES));
    }
  }
}
