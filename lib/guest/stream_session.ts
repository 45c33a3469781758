// SPDX-License-Identifier: MIT
/** A session on one stream of a card, from `hw_params` to CLOSE. */
import { XsndError } from "../base/error.ts";
import { placeInCard } from "../stream/stream_name.ts";
import type { AudioParams } from "../wav/mod.ts";
import type { CardFrontend } from "./card_frontend.ts";
import { GuestPcm } from "./guest_pcm.ts";
import type { PingPong } from "./ping_pong.ts";
import { play } from "./player.ts";
import { record } from "./recorder.ts";
import type { SessionReport } from "./session.ts";
import type { SessionAudio } from "./session_audio.ts";
import { SessionMeter } from "./session_meter.ts";
import type { Turns } from "./turns.ts";

export class StreamSession implements Disposable {
  readonly #pcm: GuestPcm;
  readonly #params: AudioParams;
  readonly #meter: SessionMeter;

  /** Throws {@link XsndError} if the card has no such stream, or the stream does not offer what the file needs. */
  constructor(
    card: CardFrontend,
    private readonly audio: SessionAudio,
    private readonly pingPong?: PingPong,
  ) {
    const { stream: at, bufferFrames, periodFrames } = audio.options;
    const stream = card.streams.get(placeInCard(at.pcm, at.stream));
    const config = card.config.pcms[at.pcm]?.streams[at.stream];
    if (stream === undefined || config === undefined) throw new XsndError(`there is no stream ${at.name}`);
    const { format, rate, channels } = this.#params = audio.params(config.effective.formats);
    const params = { format: format.code, rate, channels, bufferFrames, periodFrames };
    this.#pcm = new GuestPcm(stream, card.sharer, card.backendDomid, params);
    this.#meter = new SessionMeter(this.#pcm, pingPong);
  }

  *run(): Turns {
    const { audio } = this;
    this.#pcm.hwParams();
    this.#pcm.open();
    const progress = audio.progress(this.#params.rate);
    if (audio.reader !== undefined) yield* play(this.#pcm, audio.reader, this.#meter, progress);
    else {
      using writer = audio.record(this.#params);
      yield* record(this.#pcm, writer, audio.frames()!, this.#meter, progress);
    }
    this.#pcm.close();
  }

  /** What {@link run} has measured. */
  report(): SessionReport {
    const meter = this.#meter;
    const { bufferFrames, periodFrames, periods, stream } = this.#pcm;
    return {
      frames: meter.frames,
      rate: this.#params.rate,
      channels: this.#params.channels,
      format: this.#params.format.name,
      bufferFrames,
      periodFrames,
      events: stream.events,
      droppedEvents: stream.droppedEvents,
      periods,
      xruns: meter.xruns,
      maxPositionErrorFrames: meter.maxPositionErrorFrames,
      positionGapMicros: meter.positionGaps(),
      writeRttMicros: meter.roundTrips(),
      pingPongMicros: this.pingPong && meter.pingPongs(),
      seconds: Math.round(meter.seconds * 1000) / 1000,
    };
  }

  [Symbol.dispose](): void {
    this.#pcm[Symbol.dispose]();
  }
}
