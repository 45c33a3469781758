// SPDX-License-Identifier: MIT
/**
 * The core's count of the device's pointer (`snd_pcm_update_hw_ptr0` of sound/core/pcm_lib.c): from the driver's pointer, which goes
 * round the buffer, to frames since `prepare`.
 */
import type { PcmConfig } from "./hw_params.ts";

/** µs of a jiffy: CONFIG_HZ is 250. */
const JIFFY = 4000;

export class HwPointer {
  /** `hw_ptr`: frames since `prepare`. */
  frame = 0;
  /** `hw_ptr_base`: the frame at the buffer's beginning. */
  #base = 0;
  /** `hw_ptr_interrupt`: the frame of the last period's end. */
  #interrupt = 0;
  #jiffies = 0;
  #bufferFrames = 1;
  #periodFrames = 1;
  #bufferJiffies = 0;

  /** `snd_pcm_do_reset`. */
  reset({ bufferFrames, periodFrames, rate }: PcmConfig): void {
    this.frame = this.#base = this.#interrupt = 0;
    this.#bufferFrames = bufferFrames;
    this.#periodFrames = periodFrames;
    this.#bufferJiffies = Math.floor(bufferFrames * (1e6 / JIFFY) / rate);
  }

  /** `snd_pcm_post_start`, at the time `now`, µs. */
  started(now: number): void {
    this.#jiffies = Math.floor(now / JIFFY);
  }

  /**
   * The driver's pointer stands at `pos` of the buffer. Returns false if the step is too large: the core takes no notice then.
   * @param isInterrupt whether the driver tells of a period
   */
  update(pos: number, isInterrupt: boolean, now: number): boolean {
    const jiffies = Math.floor(now / JIFFY);
    let base = this.#base;
    let next = base + pos;
    // A late interrupt that brings less than a period counts as a round of the buffer ("double acknowledged interrupts").
    const isRoundLate = isInterrupt && this.#interrupt + this.#periodFrames > next &&
      jiffies - this.#jiffies > Math.floor(this.#bufferJiffies / 2) + 1;
    if (isRoundLate || next < this.frame) {
      base += this.#bufferFrames;
      next = base + pos;
    }
    const delta = next - this.frame;
    if (delta >= this.#bufferFrames + this.#periodFrames) return false;
    if (delta === 0) return true;
    if (isInterrupt) {
      const step = next - this.#interrupt;
      this.#interrupt += step - step % this.#periodFrames;
    }
    this.#base = base;
    this.frame = next;
    this.#jiffies = jiffies;
    return true;
  }
}
