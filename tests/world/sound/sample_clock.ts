// SPDX-License-Identifier: MIT
/** The clock of a sound card: how many frames have passed by a time, at a rate that is never quite the nominal one. */

/** Frames that rounding may cost: a time and its frame are computed one from the other. */
const ROUNDING = 1e-6;
/** The changes of the clock that {@link SampleClock.timeOf} looks back over. */
const MOST_PAST = 8;

/** From the time `since` on, `frames` frames and more pass. */
interface Stretch {
  readonly frames: number;
  readonly since: number;
  /** Frames a µs; 0: the clock stands. */
  readonly speed: number;
}

export class SampleClock {
  #now: Stretch = { frames: 0, since: 0, speed: 0 };
  #past: Stretch[] = [];
  #speed: number;

  /**
   * @param rate Hz, nominal
   * @param ppm how much faster the clock really is, in millionths
   */
  constructor(readonly rate: number, ppm: number) {
    this.#speed = speedOf(rate, ppm);
  }

  get isRunning(): boolean {
    return this.#now.speed > 0;
  }

  #from(since: number, frames: number, speed: number): void {
    this.#past.push(this.#now);
    if (this.#past.length > MOST_PAST) this.#past.shift();
    this.#now = { frames, since, speed };
  }

  /** Goes on from where the clock stands. */
  start(now: number): void {
    this.#from(now, this.#now.frames, this.#speed);
  }

  stop(now: number): void {
    this.#from(now, this.exactAt(now), 0);
  }

  /** Stands at 0. */
  reset(now: number): void {
    this.#past = [];
    this.#now = { frames: 0, since: now, speed: 0 };
  }

  /** Stands at `frames`. */
  standAt(now: number, frames: number): void {
    this.#from(now, frames, 0);
  }

  /** Stands still for `micros` µs, and then goes on. */
  stall(now: number, micros: number): void {
    this.#from(Math.max(this.#now.since, now) + micros, this.exactAt(now), this.#now.speed);
  }

  setDrift(now: number, ppm: number): void {
    this.#speed = speedOf(this.rate, ppm);
    if (this.isRunning) this.#from(Math.max(this.#now.since, now), this.exactAt(now), this.#speed);
  }

  /** Frames by the time `now`, as a fraction. */
  exactAt(now: number): number {
    const { frames, since, speed } = this.#now;
    return frames + Math.max(0, now - since) * speed;
  }

  /** Whole frames by the time `now`. */
  framesAt(now: number): number {
    return Math.floor(this.exactAt(now) + ROUNDING);
  }

  /** The first whole µs by which `frames` frames have passed; Infinity if the clock stands before that. */
  endOf(frames: number): number {
    return this.#timeOf(frames, -ROUNDING);
  }

  /** The time at which the frame after `frames` frames begins: later than {@link endOf} where the clock stood in between. */
  beginOf(frames: number): number {
    return this.#timeOf(frames, ROUNDING);
  }

  /** The time of `frames` in the last stretch of time that goes on from before `frames + tolerance`. */
  #timeOf(frames: number, tolerance: number): number {
    for (let i = this.#past.length; i >= 0; i--) {
      const stretch = i === this.#past.length ? this.#now : this.#past[i]!;
      if (stretch.frames >= frames + tolerance) continue;
      if (stretch.speed > 0) {
        return Math.ceil(stretch.since + (frames - stretch.frames) / stretch.speed - ROUNDING);
      }
      // The clock stands before these frames.
      if (stretch === this.#now && stretch.frames < frames - ROUNDING) return Infinity;
    }
    // What is older than the clock remembers.
    return Math.ceil(this.#past[0]?.since ?? this.#now.since);
  }
}

function speedOf(rate: number, ppm: number): number {
  return rate * (1 + ppm / 1e6) / 1e6;
}
