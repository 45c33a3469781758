// SPDX-License-Identifier: MIT
/**
 * The Pcm interface: an open device as the engine moves frames through it. `alsa/pcm.ts` implements it over libasound,
 * `dummy/pcm.ts` over CLOCK_MONOTONIC alone.
 *
 * The engine's thread calls all methods between two polls: no call blocks, allocates or throws. Failures are negative errno
 * values, as in ALSA.
 */
import { formatByCode, type SampleFormat } from "../sndif/mod.ts";

/** Which way the sound goes, from the guest: played, or recorded. */
export type Direction = "playback" | "capture";

/** The parameters of an open device; sizes in frames. */
export interface PcmParams {
  readonly direction: Direction;
  readonly rate: number;
  readonly channels: number;
  /** `XENSND_PCM_FORMAT_*`. */
  readonly format: number;
  readonly frameBytes: number;
  readonly bufferFrames: number;
  readonly periodFrames: number;
}

/** The sample format of parameters whose format code is known to be valid. */
export function sampleFormatOf({ format: code }: Pick<PcmParams, "format">): SampleFormat {
  const format = formatByCode(code);
  if (format === undefined) throw new TypeError(`there is no sample format ${code}`);
  return format;
}

/** Octets of {@link Pcm.staging}. The devices of one stream, one after the other, share that memory. */
export const STAGING_BYTES = 1 << 16;

export interface Pcm {
  /** The device's own parameters. Its buffer and period may differ from the guest's. */
  readonly params: PcmParams;
  /** A file descriptor that becomes ready for {@link pollEvents} when the device's pointer has moved by a device period. */
  readonly pollFd: number;
  readonly pollEvents: number;
  /**
   * A file descriptor on which poll(2) finds an error (POLLERR) while the started device has stopped by itself: {@link pollFd} does not
   * become ready any more then. -1 if {@link pollFd} goes on.
   */
  readonly stopFd: number;
  /** Whether the started device may stand still without an error. */
  readonly mayStand: boolean;
  /** Makes {@link pollFd} unready until the next period. Called when it was ready, before the next poll. */
  acknowledge(): void;
  /** Notes the time of the device's last interrupt, by its time-stamp; false if that time is unknown. */
  noteInterrupt(): boolean;
  /** Whole µs from the interrupt that {@link noteInterrupt} noted to `now` (`MicrosClock`). */
  interruptAge(now: number): number;
  /**
   * The hardware pointer: frames played or captured since the last {@link prepare}. Reads the pointer from the device.
   * Never decreases between two calls of `prepare`. Negative errno if the device failed (-EPIPE: xrun).
   */
  position(): number;
  /**
   * The hardware pointer as of the last interrupt, or of a later {@link position} or {@link write}. Does not ask the device. Not
   * older than a device period while interrupts are served.
   */
  pointer(): number;
  /** Whole µs from the reading of {@link pointer} to `now` (`MicrosClock`); 0 if that time is unknown, or each call reads anew. */
  pointerAge(now: number): number;
  /**
   * Playback: frames that {@link write} would take. Capture: frames that {@link read} would give. By {@link pointer}, or a later
   * reading.
   */
  avail(): number;
  /**
   * Playback: the position, counted in frames from {@link prepare}, of the next frame written: the number of frames written. After
   * an underrun the device has played silence, and goes on from its pointer ({@link pointer}, or a later reading). Capture: the
   * position of the frame that {@link read} gives next. Frames that the device has overwritten are skipped.
   */
  next(): number;
  /** Plays the first `frames` frames of {@link staging}; returns how many the device took, or -errno. */
  write(frames: number): number;
  /**
   * Playback: queues silence behind what was written, if the device would stop without. To be called whenever all samples that there
   * are have been written, as far as the device has room, and after {@link start}.
   */
  keepGoing(): void;
  /** Captures up to `frames` frames to the start of {@link staging}; returns how many, or -errno. */
  read(frames: number): number;
  /** {@link STAGING_BYTES} of memory, private to this process, for samples on their way to and from the device. */
  readonly staging: ArrayBuffer;
  start(): number;
  /** Stops at once and discards the queued frames. {@link prepare} follows before the next write. */
  drop(): number;
  prepare(): number;
  /** Stops (true) or continues (false) the pointer without losing a frame; -ENOSYS if the device cannot pause. */
  pause(enable: boolean): number;
  /**
   * Lets a device alone that stands still: nothing is written until {@link prepare}. Before that a device that may wait for samples
   * gets silence, as much as it takes. Returns the position.
   */
  standAside(): number;
  /** Releases this thread's resources. Afterwards the main thread closes the device. */
  release(): void;
}
