// SPDX-License-Identifier: MIT
/**
 * Finds a device that stands still though it is to run: a sound server that hangs, or whose sink is suspended or gone, a capture
 * without a source. Such a device reports no error, and hardware that stands makes no interrupt: a timer reads the pointer.
 */
import type { TimerFd } from "../../ffi/libc/timer_fd.ts";

/**
 * A device stands still if its pointer has not moved for the time of the guest's buffer, within these bounds, in ms. A sound server may
 * move the pointer in long steps, of half its buffer: a device also has twice the time of its longest step so far.
 */
const [LEAST_MS, MOST_MS] = [100, 375];
/** The readings in that time. The last of them comes up to a third of the time later. */
const READINGS = 3;
/**
 * The time that a device has from its start to its first steps, in ms. A sound server wakes up for a stream, and the sound waits for that:
 * PulseAudio 16 with a null sink took up to 0.5 s.
 */
const START_MS = 1500;
/** The number of steps that show how long a step of the device is. */
const FIRST_STEPS = 4;

export class DeviceWatch {
  readonly #intervalNs: number;
  readonly #startReadings: number;
  /** The last position that was read; -1: none since the start. */
  #position = -1;
  /** Steps since the start, up to {@link FIRST_STEPS}. */
  #steps = 0;
  /** Readings during the longest step, the first one aside. */
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
   * The device runs from now on. This does not read its pointer: a reading just after the end of a pause made the pointer of an AC97
   * leap by a round of its buffer (Linux 6.1, QEMU).
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
