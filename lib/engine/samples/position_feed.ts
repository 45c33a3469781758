// SPDX-License-Identifier: MIT
/**
 * The position that the guest is told (`XENSND_EVT_CUR_POS`): the number itself, when an event is due, and its publishing on
 * the event page. Nothing else writes the number or the page.
 *
 * When an event is due. snd_xen_front adds up the frames of the events, and wakes its guest when the sum is strictly more than
 * a period. Events at the ends of periods alone would wake the guest every second period. The engine reads the device's
 * pointer two to eight times a period, and the feed tells the guest each reading: it publishes up to twelve events a period.
 * A position that would wake the guest is published at once.
 *
 * How far an event goes. A step is smaller than the guest's buffer, or the ALSA core could not count the rounds of the buffer. A daemon
 * that dies may have kept a step that it has not told, so that the next daemon's first step has two in one. So two steps are smaller
 * than the buffer, and after a stall the feed catches up in several.
 */
import { type KeptPositions, KeptStream } from "../../bridge/kept_stream.ts";
import { positionHigh, positionLow } from "../../sndif/mod.ts";
import type { Connection } from "../connection.ts";

const EVENTS_A_PERIOD = 12;
/** Events in one turn of the stream. Only a stall of half the buffer takes more than one. */
const EVENTS_A_TURN = 8;

/** A guest that wants events. */
export interface Subscriber {
  /** The guest's period and buffer. */
  readonly periodFrames: number;
  readonly bufferFrames: number;
  readonly frameBytes: number;
  readonly connection: Pick<Connection, "eventPort" | "events" | "services" | "status" | "trace">;
}

/** From OPEN to CLOSE. Nothing here allocates. */
export class PositionFeed {
  #toldFrames = 0;
  readonly #stepFrames: number;
  /** The driver's out_frames: frames told since it last woke the guest. A STOP does not clear them. */
  #outFrames = 0;

  /**
   * @param subscriber undefined for a guest that wants no events (OPEN with a `period_sz` of 0)
   * @param kept gets each position before the guest does
   */
  constructor(private readonly subscriber?: Subscriber, private readonly kept = new KeptStream()) {
    this.#stepFrames = Math.max(1, Math.floor((subscriber?.periodFrames ?? 0) / EVENTS_A_PERIOD));
  }

  /**
   * The position that the guest has been told, in frames since OPEN. A guest that wants no events counts as told at once:
   * the round of its buffer goes on.
   */
  get toldFrames(): number {
    return this.#toldFrames;
  }

  /** Goes on where a former daemon's feed has ended. */
  resume({ told, unwoken }: KeptPositions): void {
    this.#toldFrames = told;
    this.#outFrames = unwoken;
  }

  /** Tells the guest that the stream, which runs, is at `frames`, as far as events are due and the page has room. */
  follow(frames: number): void {
    const { subscriber } = this;
    if (subscriber === undefined) return this.#tells(frames);
    for (let i = 0; i < EVENTS_A_TURN; i++) {
      const next = this.#due(subscriber, frames);
      if (next < 0 || !this.#publish(subscriber, next)) break;
    }
  }

  /** Tells the guest `frames`, whether an event is due or not. If the page has no room, {@link follow} makes up for it. */
  tell(frames: number): void {
    const { subscriber } = this;
    if (subscriber === undefined) return this.#tells(frames);
    const step = frames - this.#toldFrames;
    // The driver divides by zero, or loses count of the buffer's rounds, otherwise.
    if (step < 0 || step > subscriber.bufferFrames) {
      throw new Error(`a position ${step} frames on, in a buffer of ${subscriber.bufferFrames}`);
    }
    while (this.#toldFrames < frames && this.#publish(subscriber, this.#towards(subscriber, frames)));
  }

  /** `frames`, or as far towards them as one event goes. */
  #towards({ bufferFrames }: Subscriber, frames: number): number {
    return Math.min(frames, this.#toldFrames + Math.max(1, bufferFrames - 1 >> 1));
  }

  /** The position to publish while the stream is at `frames`; -1 if no event is due. */
  #due(subscriber: Subscriber, frames: number): number {
    const step = frames - this.#toldFrames;
    if (step <= 0) return -1;
    const isDue = step >= this.#stepFrames || this.#outFrames + step > subscriber.periodFrames;
    return isDue ? this.#towards(subscriber, frames) : -1;
  }

  #tells(frames: number): void {
    this.kept.setTold(frames);
    this.#toldFrames = frames;
  }

  /** Returns false if the page has no room. */
  #publish({ frameBytes, periodFrames, connection }: Subscriber, frames: number): boolean {
    const { eventPort, events, services, status, trace } = connection;
    const step = frames - this.#toldFrames;
    const bytes = frames * frameBytes;
    const low = positionLow(bytes);
    const high = positionHigh(bytes);
    // A daemon that dies in between has told less than it keeps: the guest's next step is greater, and none goes back.
    this.kept.setTold(frames);
    if (!events.publishCurPos(low, high)) {
      this.kept.setTold(this.#toldFrames);
      return false;
    }
    trace.position(events, low, high);
    this.#toldFrames = frames;
    this.#outFrames += step;
    if (this.#outFrames > periodFrames) {
      this.#outFrames %= periodFrames;
      status.add("periods", 1);
    }
    this.kept.setUnwoken(this.#outFrames);
    status.add("events", 1);
    services.channels.notify(eventPort);
    return true;
  }
}
