// SPDX-License-Identifier: MIT
/**
 * How often a guest may have let its device run dry, or its buffer run over, by the guest's account. The daemon must not blame a guest
 * more often than that. The clock alone judges the guest; but a guest that had filled its buffer, and fills it again as soon as it is
 * told that there is room, is never late.
 */
import type { OpenRecord, SegmentRecord, StreamAccount } from "../guest/account.ts";
import { mayHavePassed, positionsBegin, steadyPieces } from "./segments_judged.ts";

/** µs in which a guest writes that does nothing else. */
const PROMPT_MICROS = 3000;

/** How often the guest may have been late in a segment: before each WRITE or READ that came late, and at the end. */
function lateTimes(account: StreamAccount, segment: SegmentRecord): number {
  const { writes, reads, start, end } = segment;
  const { length } = writes.length > 0 ? writes : reads;
  const open = account.opens.find(({ number }) => number === segment.open);
  if (start === undefined || open === undefined) return length + 1;
  const passed = (sent: number) => mayHavePassed(sent - start.sent, open);
  if (writes.length > 0) {
    const steady = steadyPieces(writes);
    const late = steady.filter(({ request: { sent }, at }) =>
      passed(sent) > at && !wasFull(account, segment, open, at, sent)
    );
    const last = writes.at(-1)!;
    const isOver = end === undefined || !wasFull(account, segment, open, last.at + last.frames, end.time);
    return late.length + length - steady.length + (isOver ? 1 : 0);
  }
  const steady = steadyPieces(reads);
  const late = steady.filter(({ request, at }) => passed(request.sent) > at + open.bufferFrames);
  return late.length + length - steady.length + 1;
}

/** Whether the buffer was full of what ends at `at`, by all that the guest knew, until a moment before `time`. */
function wasFull(
  { events }: StreamAccount,
  segment: SegmentRecord,
  { bufferFrames, frameBytes }: OpenRecord,
  at: number,
  time: number,
): boolean {
  const until = time - PROMPT_MICROS;
  const known = events.findLast(({ time, isAccepted }) => isAccepted && time <= until);
  if (known === undefined || known.open !== segment.open) return false;
  const passed = Math.max(0, known.position / frameBytes - positionsBegin(segment, bufferFrames));
  return at - passed >= bufferFrames;
}

/** Of one stream's account. */
export class Blame {
  /** Segments that have ended and were looked at, and how often the guest may have been late in these. */
  #segments = 0;
  #sum = 0;

  constructor(private readonly account: StreamAccount) {}

  /** How often the guest may have been late so far, if that is less than `times`; otherwise a number that is large enough. */
  most(times: number): number {
    if (this.#sum >= times) return this.#sum;
    const { account } = this;
    const { segments, forgotten } = account;
    // What was forgotten before anybody looked may have been as bad as can be.
    if (this.#segments < forgotten.segments) [this.#segments, this.#sum] = [forgotten.segments, Infinity];
    let present = 0;
    for (const segment of segments.slice(this.#segments - forgotten.segments)) {
      const times = lateTimes(account, segment);
      if (segment.end === undefined) present += times;
      else {
        this.#sum += times;
        this.#segments++;
      }
    }
    return this.#sum + present;
  }
}
