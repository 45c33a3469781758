// SPDX-License-Identifier: MIT
/**
 * Silence between the guest's samples in a playback device's queue, which the device has yet to play. A PCM of plugins queues it
 * ahead of the samples that come too late (`AlsaPcm`). Hardware and dummy devices have none. Nothing here allocates.
 *
 * A device has a few such gaps at once: each is a period of its own at least, and its PCM queues no more than a few periods. The
 * newest gap takes in one for which there is no place, at the end of both: the number of silent frames stays exact.
 */
const MOST_GAPS = 16;

export class QueuedSilence {
  /** The first frame of each gap and the frame behind its last, ascending. */
  readonly #gaps = new Float64Array(2 * MOST_GAPS);
  #count = 0;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** The device has queued silence from frame `from` up to `to`, behind everything else. */
  add(from: number, to: number): void {
    if (to <= from) return;
    if (this.#count < MOST_GAPS) this.#count++;
    else from -= this.#gaps[2 * MOST_GAPS - 1]! - this.#gaps[2 * MOST_GAPS - 2]!;
    this.#gaps[2 * this.#count - 2] = from;
    this.#gaps[2 * this.#count - 1] = to;
  }

  /** Frames of silence from `from` up to `to`. */
  within(from: number, to: number): number {
    let frames = 0;
    for (let i = 0; i < 2 * this.#count; i += 2) {
      frames += Math.max(0, Math.min(to, this.#gaps[i + 1]!) - Math.max(from, this.#gaps[i]!));
    }
    return frames;
  }

  /** The device has played everything before frame `at`. */
  forget(at: number): void {
    let over = 0;
    while (over < this.#count && this.#gaps[2 * over + 1]! <= at) over++;
    if (over > 0) this.#gaps.copyWithin(0, 2 * over, 2 * this.#count);
    this.#count -= over;
    if (this.#count > 0) this.#gaps[0] = Math.max(at, this.#gaps[0]!);
  }

  /** The queue is emptied. */
  clear(): void {
    this.#count = 0;
  }
}
