// SPDX-License-Identifier: MIT
/**
 * The Pcm port: what the engine needs of a card. `alsa.ts` is a real one, `dummy.ts` one made of nothing but
 * CLOCK_MONOTONIC.
 *
 * Everything here is called from the engine's thread between two polls: no call blocks, none allocates, none throws;
 * failures are negative errno values, as in ALSA.
 */

export type Direction = "playback" | "capture";

/** What a stream was opened with; sizes in frames. */
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

/** Octets of {@link Pcm.staging}, which cards that follow one another under a stream share. */
export const STAGING_BYTES = 1 << 16;

export interface Pcm {
  /** What the card was set up with: its own buffer and period, which may differ from the guest's. */
  readonly params: PcmParams;
  /** The file descriptor that becomes ready for {@link pollEvents} when the card's pointer has moved by a card period. */
  readonly pollFd: number;
  readonly pollEvents: number;
  /** Called when {@link pollFd} was ready and before it is polled again; makes it unready until the next period. */
  acknowledge(): void;
  /** Takes note of when the card's last interrupt was, by its own time-stamp; false where that cannot be known. */
  noteInterrupt(): boolean;
  /** Whole µs from the interrupt that {@link noteInterrupt} was told of to `now` (`MicrosClock`). */
  interruptAge(now: number): number;
  /**
   * The hardware pointer: frames played or captured since the last {@link prepare}, read from the card now.
   * Never decreases between two calls of `prepare`. Negative errno if the card failed (-EPIPE: xrun).
   */
  position(): number;
  /**
   * The same as its last interrupt, or a {@link position} or {@link write} since, found it: not older than a card period
   * while its interrupts are served, and without asking the card.
   */
  pointer(): number;
  /** Whole µs from when the card was at {@link pointer} to `now` (`MicrosClock`); 0 where that is not known, or asked anew each time. */
  pointerAge(now: number): number;
  /**
   * Playback: frames that {@link write} would take now. Capture: frames that {@link read} would give now. Both by
   * {@link pointer}, or later.
   */
  avail(): number;
  /**
   * Playback: the frame, counted from {@link prepare}, at which what is written next will be heard. That is the number
   * of frames written, and more once the card has run dry: then it has played silence, and goes on from its pointer
   * ({@link pointer}, or later). Capture: the frame that {@link read} gives next; what the card has overwritten with later
   * frames is passed over.
   */
  next(): number;
  /** Plays the first `frames` frames of {@link staging}; returns how many were taken, or -errno. */
  write(frames: number): number;
  /** Captures up to `frames` frames to the start of {@link staging}; returns how many, or -errno. */
  read(frames: number): number;
  /** Memory of {@link STAGING_BYTES} that samples pass through on their way to and from the card; private to this process. */
  readonly staging: ArrayBuffer;
  start(): number;
  /** Stops at once and throws away what was not played. {@link prepare} follows before the next write. */
  drop(): number;
  prepare(): number;
  /** Stops (true) or continues (false) the pointer without losing anything; -ENOSYS if the card cannot. */
  pause(enable: boolean): number;
  /** Releases what this thread holds; the main thread then closes the card itself. */
  release(): void;
}
