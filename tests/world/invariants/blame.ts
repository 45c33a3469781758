// SPDX-License-Identifier: MIT
/**
 * How often a guest may have let its device run dry, or its buffer run over, by the guest's account. The daemon must not blame a guest
 * more often than that. A guest that had filled its buffer, and fills it again as soon as it is told that there is room, is never late.
 * Another guest is late each time that a device has run dry; or, where nobody knows when that was, whenever the clock alone says so.
 */
import type { DryMoments, DrySpan } from "./dry_moments.ts";
import type { EventRecord, OpenRecord, SegmentRecord, StreamAccount } from "../guest/account.ts";
import { mayHavePassed, positionsMayBegin, steadyPieces } from "./segments_judged.ts";

/** µs in which a guest writes that does nothing else. */
const PROMPT_MICROS = 3000;

/** A buffer with less in it than that, beside what the device takes at once, runs dry in no time, s. */
const LEAST_SECONDS = 0.02;

/** µs from the sending of a WRITE until its samples are with the device. */
const SERVE_MICROS = 20_000;

/** µs from the sending of a START or STOP until the device has started or stopped, at most. */
const TRIGGER_MICROS = 1_000_000;

/** A guest that stops a dry device before these µs have passed, and starts it in more than those, has come to its end (`Underrun`). */
const [GRACE_MICROS, RECOVERY_MICROS] = [400_000, 3_000_000];

/** A stream, and the times in which its guest stood still. */
export interface Blamed {
  readonly account: StreamAccount;
  readonly pauses: readonly { readonly from: number; readonly to: number }[];
}

/** How often the guest may have been late in a segment: before each WRITE or READ that came late, and at the end. */
function lateTimes(blamed: Blamed, segment: SegmentRecord): number {
  const { account } = blamed;
  const { writes, reads, start, end } = segment;
  const { length } = writes.length > 0 ? writes : reads;
  const open = account.opens.find(({ number }) => number === segment.open);
  if (start === undefined || open === undefined) return length + 1;
  const passed = (sent: number) => mayHavePassed(sent - start.sent, open);
  if (writes.length > 0) {
    const steady = steadyPieces(writes);
    // Silence counts as passed, too: a guest whose device has played some knows that by the position alone.
    const isPassed = (sent: number, at: number) =>
      passed(sent) > at || toldBy(blamed, segment, open, sent) + mayHavePassed(0, open) > at;
    const late = steady.filter(({ request: { sent }, at }) =>
      isPassed(sent, at) && !wasFull(blamed, segment, open, at, sent)
    );
    const last = writes.at(-1)!;
    const isOver = end === undefined || isMistaken(segment, open) ||
      !wasFull(blamed, segment, open, last.at + last.frames, end.time);
    return late.length + length - steady.length + (isOver ? 1 : 0);
  }
  const steady = steadyPieces(reads);
  const late = steady.filter(({ request, at }) => passed(request.sent) > at + open.bufferFrames);
  return late.length + length - steady.length + 1;
}

/**
 * Whether the guest has stopped the device for an xrun that there was not: its core has counted a late interrupt twice, is a buffer ahead
 * of the positions that it was told, and has written over a buffer that was yet to be played.
 */
function isMistaken(segment: SegmentRecord, { bufferFrames }: OpenRecord): boolean {
  const { end } = segment;
  return end?.cause === "xrun" && end.hwPtr > end.position - positionsMayBegin(segment, bufferFrames);
}

/**
 * The same of a segment that a device of hardware has played: `dry` has the moments at which the device ran dry. The end counts, too: a
 * player that drains its buffer, and soon starts again in the segment `next`, looks like one that was late.
 */
function dryTimes(
  blamed: Blamed,
  segment: SegmentRecord,
  next: SegmentRecord | undefined,
  dry: DryMoments,
): number {
  const { writes, start, end } = segment;
  const open = blamed.account.opens.find(({ number }) => number === segment.open);
  if (start === undefined || open === undefined) return writes.length + 1;
  const steady = steadyPieces(writes);
  const isLate = (time: number) => {
    const written = writes.findLastIndex(({ request }) => request.sent <= time);
    if (written < 0 || written >= steady.length) return true;
    const { request: { sent, over = Infinity }, at, frames } = writes[written]!;
    // The device ran dry before the WRITE was served, and the guest had left less than that takes.
    if (over > time && time - sent < SERVE_MICROS) return true;
    return !wasFull(blamed, segment, open, at + frames, time);
  };
  const spans = dry.between(start.sent, (end?.time ?? Infinity) + TRIGGER_MICROS).filter(({ from }) =>
    isLate(from)
  );
  const last = writes.length === 0 ? 0 : writes.at(-1)!.request.over ?? Infinity;
  // What comes too late for the device ends an underrun, and the next one begins.
  const writesIn = ({ from, to }: DrySpan) =>
    writes.filter(({ request: { sent } }) => from <= sent && sent <= to + SERVE_MICROS).length;
  const before = spans.filter(({ from }) => from <= last)
    .reduce((sum, span) => sum + Math.max(1, writesIn(span)), 0);
  if (end === undefined || next === undefined) return before + 1;
  const dryAt = spans.find(({ from }) => from > last)?.from ?? end.time;
  const hasRecovered = next.open === segment.open &&
    (next.start === undefined || next.start.sent - end.time < RECOVERY_MICROS);
  const mayCount = isMistaken(segment, open) || hasRecovered && isLate(end.time) ||
    end.time - dryAt > GRACE_MICROS;
  return before + (mayCount ? 1 : 0);
}

/** The frames of the segment that the device had passed by the last position that the guest was told before `time`. */
function toldBy(
  { account: { events } }: Blamed,
  segment: SegmentRecord,
  open: OpenRecord,
  time: number,
): number {
  const known = lastAccepted(events, time);
  if (known === undefined || known.open !== segment.open) return 0;
  return Math.max(0, known.position / open.frameBytes - positionsMayBegin(segment, open.bufferFrames));
}

/**
 * Whether the buffer was full of what ends at `at`, by all that the guest knew, until a moment before `time`: there was no room for a
 * period, for which a program waits.
 */
function wasFull(
  { account: { events }, pauses }: Blamed,
  segment: SegmentRecord,
  open: OpenRecord,
  at: number,
  time: number,
): boolean {
  const { rate, bufferFrames, periodFrames, frameBytes } = open;
  const until = time - PROMPT_MICROS;
  const known = lastAccepted(events, until);
  if (known === undefined || known.open !== segment.open) return false;
  // A guest that stood still was told, and did not know.
  if (pauses.some(({ from, to }) => from < time && to > known.time)) return false;
  const passed = Math.max(0, known.position / frameBytes - positionsMayBegin(segment, bufferFrames));
  const queued = at - passed;
  if (queued >= bufferFrames) return true;
  const isLarge = queued - mayHavePassed(0, open) >= LEAST_SECONDS * rate;
  return isLarge && queued > bufferFrames - periodFrames;
}

/** The last event that the guest has accepted by the time `until`. A long segment has many, so that a look at each would take long. */
function lastAccepted(events: readonly EventRecord[], until: number): EventRecord | undefined {
  let [from, to] = [0, events.length];
  while (from < to) {
    const middle = from + to >> 1;
    if (events[middle]!.time <= until) from = middle + 1;
    else to = middle;
  }
  while (from > 0 && !events[from - 1]!.isAccepted) from--;
  return events[from - 1];
}

/** Of one stream's account. */
export class Blame {
  /** Segments that have ended and were looked at, and how often the guest may have been late in these. */
  #segments = 0;
  #sum = 0;

  /** @param dry when devices ran dry, for a playback stream whose device is always hardware */
  constructor(private readonly blamed: Blamed, private readonly dry?: DryMoments) {}

  /** How often the guest may have been late so far, if that is less than `times`; otherwise a number that is large enough. */
  most(times: number): number {
    if (this.#sum >= times) return this.#sum;
    const { segments, forgotten } = this.blamed.account;
    // What was forgotten before anybody looked may have been as bad as can be.
    if (this.#segments < forgotten.segments) [this.#segments, this.#sum] = [forgotten.segments, Infinity];
    let present = 0;
    for (let index = this.#segments - forgotten.segments; index < segments.length; index++) {
      const [segment, next] = segments.slice(index, index + 2) as [SegmentRecord, SegmentRecord?];
      const times = this.dry === undefined
        ? lateTimes(this.blamed, segment)
        : dryTimes(this.blamed, segment, next, this.dry);
      // What comes next may show that this was no end.
      if (segment.end === undefined || (next?.start ?? next?.end) === undefined) present += times;
      else {
        this.#sum += times;
        this.#segments++;
      }
    }
    return this.#sum + present;
  }
}
