// SPDX-License-Identifier: MIT
/**
 * Finds a device that stands still though it is to run: a sound server that hangs, or whose sink is suspended or gone, a capture
 * without a source. Such a device reports no error, and hardware that stands makes no interrupt: a timer reads the pointer.
 */
import type { TimerFd } from "../../ffi/libc/timer_fd.ts";

/**
 * A device stands still if its pointer has not moved for as long as the guest's buffer takes, within these bounds, in ms. The pointer
 * of a sound server's PCM moves in steps, which may be greater than the smallest buffers.
 */
const [LEAST_MS, MOST_MS] = [100, 375];
/** Readings without a move. One third more of the time may pass until the last of them. */
const READINGS = 3;

/** Nothing here allocates but {@link begin} and {@link end}. */
export class DeviceWatch {
  readonly #intervalNs: number;
  #position = -1;
  #readings = 0;

  /**
   * @param timer lent: while a stand-in uses it, nothing here is called
   * @param bufferSeconds of the guest's
   */
  constructor(private readonly timer: TimerFd, bufferSeconds: number) {
    const ms = Math.min(Math.max(bufferSeconds * 1000, LEAST_MS), MOST_MS);
    this.#intervalNs = Math.ceil(ms * 1e6 / READINGS);
  }

  /** The descriptor that is ready when the pointer is to be read. */
  get fd(): number {
    return this.timer.fd;
  }

  /** The device runs from now on. */
  begin(): void {
    this.#position = -1;
    this.timer.arm(this.#intervalNs, this.#intervalNs);
  }

  /** The device stands from now on, as it is to. */
  end(): void {
    this.timer.arm(0);
  }

  /** To be called when {@link fd} is ready. Returns true if the device, which is at `position`, has stood still for too long. */
  standsAt(position: number): boolean {
    this.timer.drain();
    if (position !== this.#position) {
      this.#position = position;
      this.#readings = 0;
      return false;
    }
    return ++this.#readings >= READINGS;
  }
}
