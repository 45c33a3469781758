// SPDX-License-Identifier: MIT
/** The measurements of a session: round trips, how true positions are, how long it all took. */
import type { GuestPcm } from "./guest_pcm.ts";
import { type Percentiles, percentiles } from "../base/percentiles.ts";
import type { PingPong } from "./ping_pong.ts";

export class SessionMeter {
  xruns = 0;
  maxPositionErrorFrames = 0;
  seconds = 0;
  frames = 0;
  readonly #micros: number[] = [];
  readonly #pingPongMicros: number[] = [];
  #startedAt = 0;
  #firstStart = 0;

  /** @param pingPong the baseline, which is measured as often as requests are, in moments like theirs: after an event */
  constructor(private readonly pcm: GuestPcm, pingPong?: PingPong) {
    pcm.onPosition = () => this.#judgePosition();
    pcm.stream.onRoundTrip = (ms) => this.#micros.push(ms * 1000);
    if (pingPong === undefined) return;
    pcm.onOtherEvents = () => {
      if (this.#pingPongMicros.length < this.#micros.length) this.#pingPongMicros.push(pingPong.round());
    };
  }

  /** Runs START; the card's clock is taken to begin half-way through it. */
  start(trigger: () => void): void {
    const sent = performance.now();
    this.#startedAt = Infinity;
    trigger();
    this.#startedAt = (sent + performance.now()) / 2;
    this.#firstStart ||= this.#startedAt;
  }

  /** The last sample has been played: what comes after, as the position that STOP puts right, is not judged. */
  finish(frames: number): void {
    this.seconds = (performance.now() - this.#firstStart) / 1000;
    this.frames = frames;
    this.pcm.onPosition = () => {};
  }

  roundTrips(): Percentiles {
    return percentiles(this.#micros);
  }

  pingPongs(): Percentiles {
    return percentiles(this.#pingPongMicros);
  }

  #judgePosition(): void {
    if (this.#startedAt > performance.now()) return;
    const expected = (performance.now() - this.#startedAt) * this.pcm.rate / 1000;
    const error = Math.abs(this.pcm.hwPtr - expected);
    if (error > this.maxPositionErrorFrames) this.maxPositionErrorFrames = Math.round(error);
  }
}
