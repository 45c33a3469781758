// SPDX-License-Identifier: MIT
/**
 * Whether a card that has played all that its guest wrote has an underrun, or has come to the end of the sound. The card is
 * dry from that frame on.
 *
 * At first both look the same. snd_xen_front sends TRIGGER STOP when the ALSA core finds the buffer empty, at the end of
 * snd_pcm_drain as after an underrun (`snd_pcm_update_state`), and the core looks once a period
 * (`snd_pcm_period_elapsed`). What the guest does next decides:
 *
 *     the card is dry, and then                      that is an underrun
 *     the guest WRITEs                               yes, until samples are ahead of the card again
 *     neither WRITE nor STOP within the grace        yes, until a WRITE, STOP, CLOSE or disconnection
 *     STOP within the grace, START within 2 s        yes, until that START: the player has recovered
 *     STOP within the grace, and no START by then    no: a drain
 *     CLOSE or disconnection within the grace        no: a drain
 *
 * The grace is two periods of the guest's, and half a second at least. A drain's STOP comes up to a period and an event after
 * the last sample; in a guest with one of two virtual CPUs busy it has come 0.4 s late. The grace begins when the engine has
 * seen that the card is dry: an engine that comes late tells its guest late.
 *
 * A player that drains its stream and starts it again within 2 s, without a CLOSE, is taken for one that has recovered. No
 * request tells them apart, and both have left a gap in the sound.
 */
import type { Xruns } from "./xruns.ts";

const MIN_GRACE_SECONDS = 0.5;
/** How long after its STOP a guest that recovers has started again. */
const RECOVERY_MS = 2000;

export class Underrun {
  readonly #graceFrames: number;
  /** The end of the guest's samples, while the card is dry; -1 while it is not. */
  #from = -1;
  /** Where the card was when it was first seen dry. */
  #seenAt = 0;
  #isHosts = false;
  /** When the guest stopped a card that had been dry for `#frames`; -1: it has not. */
  #stoppedMs = -1;
  #frames = 0;
  #stoppedFrom = 0;

  /** @param periodFrames the guest's; 0 if it wants no events */
  constructor(private readonly xruns: Xruns, periodFrames: number) {
    this.#graceFrames = Math.max(2 * periodFrames, MIN_GRACE_SECONDS * xruns.rate);
  }

  get isDry(): boolean {
    return this.#from >= 0;
  }

  /** The guest's samples end at `end`, and the card has passed that: it is at `position`. */
  dry(end: number, position: number, isHosts: boolean): void {
    if (this.#from < 0) {
      this.#from = end;
      this.#seenAt = position;
      this.#isHosts = isHosts;
    } else if (!this.xruns.isOn && position - this.#seenAt >= this.#graceFrames) {
      this.xruns.begin(this.#from, this.#isHosts, position - this.#from);
    }
  }

  /** A sample of the guest's comes later than the card has wanted it, which was at `from` unless it is known to be dry. */
  late(from: number, isHosts: boolean): void {
    if (this.#from < 0) this.#from = from;
    if (!this.xruns.isOn) this.xruns.begin(this.#from, isHosts, 0);
  }

  /** The card has samples again, from frame `at` on. */
  over(at: number): void {
    if (this.xruns.isOn) this.xruns.end(at - this.#from);
    this.#from = -1;
  }

  /** The guest's STOP or CLOSE, at `position`. Its samples end at `end`; `hasPlayed`: there were any since its START. */
  stopped(end: number, position: number, hasPlayed: boolean, nowMs: number): void {
    this.#stoppedMs = -1;
    if (this.xruns.isOn) {
      this.xruns.end(position - this.#from);
      // What was written and passed over has been counted.
      this.xruns.late(position - Math.max(this.#from, end));
    } else if (position >= end && hasPlayed) {
      this.#stoppedMs = nowMs;
      this.#stoppedFrom = end;
      this.#frames = position - end;
      if (this.#from < 0) this.#isHosts = false;
    }
    this.#from = -1;
  }

  /** The guest's START. */
  started(nowMs: number): void {
    if (this.#stoppedMs < 0) return;
    const stoodMs = nowMs - this.#stoppedMs;
    this.#stoppedMs = -1;
    if (stoodMs > RECOVERY_MS) return;
    const frames = this.#frames + Math.round(stoodMs * this.xruns.rate / 1000);
    this.xruns.begin(this.#stoppedFrom, this.#isHosts, frames);
    this.xruns.end(frames);
    this.xruns.late(frames);
  }
}
