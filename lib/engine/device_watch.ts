// SPDX-License-Identifier: MIT
/**
 * Finds a device that stands still though it is to run: a sound server that hangs, or whose sink is suspended or gone, a capture
 * without a source. Such a device reports no error, and hardware that stands makes no interrupt: a timer reads the pointer.
 */
import type { TimerFd } from "../../ffi/libc/timer_fd.ts";

/**
 * A device stands still if its pointer has not moved for as long as the guest's buffer takes, within these bounds, in ms, and for twice
 * as long as it has taken for its steps before: the pointer of a sound server's PCM may move in steps of half its buffer.
 */
const [LEAST_MS, MOST_MS] = [100, 375];
/** Readings without a move. One third more of the time may pass until the last of them. */
const READINGS = 3;
/**
 * For so long at least a device may stand between its start and its first steps, in ms: a server wakes up for it, and nothing of the
 * sound is to be lost meanwhile. (PulseAudio 16 before its null sink has taken up to 0.5 s.)
 */
const START_MS = 1500;
/** The steps after which the device's way to move is known. */
const FIRST_STEPS = 4;

/** Nothing here allocates but {@link begin} and {@link end}. */
export class DeviceWatch {
  readonly #intervalNs: number;
  readonly #startReadings: number;
  /** Where the device was found last; -1: nowhere since its start. */
  #position = -1;
  /** Steps since the start, up to {@link FIRST_STEPS}, and the readings that the longest but the first has taken. */
  #steps = 0;
  #longest = 0;
  /** Readings since the last step. */
  #readings = 0;

  /**
   * @param timer lent: while a stand-in uses it, nothing here is called
   * @param bufferSeconds of the guest's
   */
  constructor(private readonly timer: TimerFd, bufferSeconds: number) {
    const ms = Math.min(Math.max(bufferSeconds * 1000, LEAST_MS), MOST_MS);
    this.#intervalNs = Math.ceil(ms * 1e6 / READINGS);
    this.#startReadings = Math.ceil(START_MS / ms * READINGS);
  }

  /** The descriptor that is ready when the pointer is to be read. */
  get fd(): number {
    return this.timer.fd;
  }

  /**
   * The device runs from now on. Its pointer is not read yet: just after a pause, that of an AC97 goes back a little, which ALSA takes for
   * a round of the buffer.
   */
  begin(): void {
    this.#position = -1;
    this.#steps = this.#longest = this.#readings = 0;
    this.timer.arm(this.#intervalNs, this.#intervalNs);
  }

  /** The device stands from now on, as it is to. */
  end(): void {
    this.timer.arm(0);
  }

  /** To be called when {@link fd} is ready. Returns true if the device, which is at `position`, has stood still for too long. */
  standsAt(position: number): boolean {
    this.timer.drain();
    this.#readings++;
    const most = this.#steps < FIRST_STEPS ? this.#startReadings : Math.max(READINGS, 2 * this.#longest);
    if (position === this.#position) return this.#readings >= most;
    if (this.#position < 0) {
      this.#position = position;
      return false;
    }
    if (this.#steps > 0) this.#longest = Math.max(this.#longest, this.#readings);
    if (this.#steps < FIRST_STEPS) this.#steps++;
    this.#position = position;
    this.#readings = 0;
    return false;
  }
}
