// SPDX-License-Identifier: MIT
/** Measures a session: round trips, the error of positions, the duration. */
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
  /** From each position to the next one. */
  readonly #gapMicros: number[] = [];
  #lastPosition = NaN;
  #startedAt = 0;
  #firstStart = 0;

  /** @param pingPong the baseline, measured once a request, and like a request after an event */
  constructor(private readonly pcm: GuestPcm, pingPong?: PingPong) {
    pcm.onPosition = () => this.#judgePosition();
    pcm.stream.onRoundTrip = (ms) => this.#micros.push(ms * 1000);
    if (pingPong === undefined) return;
    pcm.onOtherEvents = () => {
      if (this.#pingPongMicros.length < this.#micros.length) this.#pingPongMicros.push(pingPong.round());
    };
  }

  /** Sends START with `trigger`. The device's clock is assumed to begin half-way through the request. */
  start(trigger: () => void): void {
    const sent = performance.now();
    this.#startedAt = Infinity;
    trigger();
    this.#startedAt = (sent + performance.now()) / 2;
    this.#firstStart ||= this.#startedAt;
    this.#lastPosition = NaN;
  }

  /** Ends the measurement at the last sample: STOP moves the position, which would count as an error. */
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

  positionGaps(): Percentiles {
    return percentiles(this.#gapMicros);
  }

  #judgePosition(): void {
    const now = performance.now();
    if (this.#startedAt > now) return;
    if (!Number.isNaN(this.#lastPosition)) this.#gapMicros.push((now - this.#lastPosition) * 1000);
    this.#lastPosition = now;
    const expected = (now - this.#startedAt) * this.pcm.rate / 1000;
    const error = Math.abs(this.pcm.hwPtr - expected);
    if (error > this.maxPositionErrorFrames) this.maxPositionErrorFrames = Math.round(error);
  }
}
