// SPDX-License-Identifier: MIT
/**
 * How often a guest may have let its device run dry, by the guest's account. The daemon must not blame a guest more often than that:
 * the clock alone judges the guest.
 */
import type { OpenRecord, SegmentRecord, StreamAccount } from "../guest/account.ts";
import { mayHavePassed, steadyWrites } from "./segments_judged.ts";

/** How often the device may have run dry in a playback segment: before each late WRITE, and at the end. */
function dryTimes({ writes, start }: SegmentRecord, open: OpenRecord | undefined): number {
  if (start === undefined || open === undefined) return writes.length + 1;
  const steady = steadyWrites(writes);
  const late = steady.filter(({ request, at }) => mayHavePassed(request.sent - start.sent, open) > at);
  return late.length + writes.length - steady.length + 1;
}

/** Of one stream's account. */
export class Blame {
  /** Segments that have ended and were looked at, and how often their device may have run dry. */
  #segments = 0;
  #sum = 0;

  constructor(private readonly account: StreamAccount) {}

  /** How often the guest may have let its device run dry so far. */
  get most(): number {
    const { segments, forgotten, opens } = this.account;
    // What was forgotten before anybody looked may have been as bad as can be.
    if (this.#segments < forgotten.segments) this.#sum = Infinity;
    const from = Math.max(0, this.#segments - forgotten.segments);
    let present = 0;
    for (const segment of segments.slice(from)) {
      const times = dryTimes(segment, opens.find(({ number }) => number === segment.open));
      if (segment.end === undefined) present += times;
      else {
        this.#sum += times;
        this.#segments = forgotten.segments + segments.indexOf(segment) + 1;
      }
    }
    return this.#sum + present;
  }
}
