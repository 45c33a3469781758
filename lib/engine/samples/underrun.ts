// SPDX-License-Identifier: MIT
/**
 * Tells an underrun from the end of the sound. A device that has played all that its guest wrote is dry from that frame on, and
 * at first both cases look the same: snd_xen_front sends TRIGGER STOP when the ALSA core finds the buffer empty, at the end
 * of snd_pcm_drain as after an underrun (`snd_pcm_update_state`). The core looks once a period (`snd_pcm_period_elapsed`).
 * The guest's next step decides:
 *
 *     the device is dry, and then                    is that an underrun?
 *     the guest WRITEs                               yes, until samples are ahead of the device again
 *     neither WRITE nor STOP within the grace        yes, until a WRITE, STOP, CLOSE or disconnection
 *     STOP within the grace, START within 2 s        yes, until that START: the player has recovered
 *     STOP within the grace, and no START by then    no: a drain
 *     CLOSE or disconnection within the grace        no: a drain
 *
 * The grace is two periods of the guest's, and half a second at least. A drain's STOP comes up to a period and an event after
 * the last sample; in a guest with one of two virtual CPUs busy it has come 0.4 s late. The grace begins when the engine has
 * seen that the device is dry: an engine that comes late tells its guest late.
 *
 * A player that drains its stream and starts it again within 2 s, without a CLOSE, counts as a player that has recovered. No
 * request tells them apart, and both have left a gap in the sound.
 */
import type { Xruns } from "./xruns.ts";

const MIN_GRACE_SECONDS = 0.5;
/** A guest that recovers has started again this long after its STOP. */
const RECOVERY_MS = 2000;

export class Underrun {
  readonly #graceFrames: number;
  /** The end of the guest's samples, while the device is dry; -1 while it is not. */
  #from = -1;
  /** Where the device was when it was first seen dry. */
  #seenAt = 0;
  #isHosts = false;
  /** When the guest stopped a device that had been dry for `#frames`, since `#stoppedFrom`; -1: it has not. */
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

  /** The device is at `position`, beyond the guest's samples, which end at `end`. */
  dry(end: number, position: number, isHosts: boolean): void {
    if (this.#from < 0) {
      this.#from = end;
      this.#seenAt = position;
      this.#isHosts = isHosts;
    } else if (!this.xruns.isOn && position - this.#seenAt >= this.#graceFrames) {
      this.xruns.begin(this.#from, this.#isHosts, position - this.#from);
    }
  }

  /** A sample of the guest's comes late. The device wanted it at `from`, unless the device is known to be dry already. */
  late(from: number, isHosts: boolean): void {
    if (this.#from < 0) this.#from = from;
    if (!this.xruns.isOn) this.xruns.begin(this.#from, isHosts, 0);
  }

  /** The device has samples again, from frame `at` on. */
  over(at: number): void {
    if (this.xruns.isOn) this.xruns.end(at - this.#from);
    this.#from = -1;
  }

  /**
   * The guest's STOP or CLOSE, at `position`. Its samples end at `end`; `hasPlayed`: it has written some since its last STOP; `isHosts`:
   * an underrun that begins now is this host's.
   */
  stopped(end: number, position: number, hasPlayed: boolean, isHosts: boolean, nowMs: number): void {
    this.#stoppedMs = -1;
    if (this.xruns.isOn) {
      this.xruns.end(position - this.#from);
    } else if (position >= end && hasPlayed) {
      this.#stoppedMs = nowMs;
      this.#stoppedFrom = end;
      this.#frames = position - end;
      // The device has just played the last sample, and was not seen dry.
      if (this.#from < 0) this.#isHosts = isHosts;
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
  }
}
