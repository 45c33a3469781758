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

export interface Pcm {
  /** What the card was set up with: its own buffer and period, which may differ from the guest's. */
  readonly params: PcmParams;
  /** File descriptors that become ready when the card's pointer has moved by a period, with their poll events. */
  readonly pollFds: readonly { readonly fd: number; readonly events: number }[];
  /** Called when one of {@link pollFds} was ready, with its revents, before anything else. */
  polled(index: number, revents: number): void;
  /**
   * The hardware pointer: frames played or captured since the last {@link prepare}, read from the card now.
   * Never decreases between two calls of `prepare`. Negative errno if the card failed (-EPIPE: xrun).
   */
  position(): number;
  /** Playback: frames that {@link write} would take now. Capture: frames that {@link read} would give now. */
  avail(): number;
  /** Plays `frames` from the octets at `offset` in {@link staging}; returns how many were taken, or -errno. */
  write(offset: number, frames: number): number;
  /** Captures up to `frames` into {@link staging} at `offset`; returns how many, or -errno. */
  read(offset: number, frames: number): number;
  /** Memory that samples pass through on their way to and from the card; private to this process. */
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
