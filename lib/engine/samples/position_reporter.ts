// SPDX-License-Identifier: MIT
/**
 * When to tell the guest the card's position (`XENSND_EVT_CUR_POS`), and in what steps.
 *
 * snd_xen_front adds up the frames of each event and wakes its guest when they are strictly more than a period, so an
 * event exactly at each boundary would wake it every second period only. Positions therefore go out up to twelve times
 * a period, so that each look at a card that is looked at two to eight times, more or less, is told, and at once when one
 * would wake the guest; {@link periods} counts those wake-ups as the driver does.
 *
 * A step is smaller than the guest's buffer, or the ALSA core could not tell how often it went round: a stall that is
 * longer than the buffer is caught up with in steps of half a buffer.
 */

const EVENTS_A_PERIOD = 12;

export class PositionReporter {
  /** How often the guest was woken for a period (`snd_pcm_period_elapsed`). */
  periods = 0;
  readonly #stepFrames: number;
  /** The driver's out_frames; it outlives a stop. */
  #outFrames = 0;

  constructor(readonly periodFrames: number, readonly bufferFrames: number) {
    this.#stepFrames = Math.max(1, Math.floor(periodFrames / EVENTS_A_PERIOD));
  }

  /** The position to publish now that `reported` was the last and the card is at `position`; -1 if none is due. */
  next(reported: number, position: number): number {
    const delta = position - reported;
    if (delta <= 0) return -1;
    if (delta >= this.bufferFrames) return reported + Math.max(1, this.bufferFrames >> 1);
    return delta >= this.#stepFrames || this.#outFrames + delta > this.periodFrames ? position : -1;
  }

  /** A step of `frames` was published. */
  published(frames: number): void {
    this.#outFrames += frames;
    if (this.#outFrames > this.periodFrames) {
      this.#outFrames %= this.periodFrames;
      this.periods++;
    }
  }
}
