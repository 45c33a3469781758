// SPDX-License-Identifier: MIT
/**
 * What must be heard of a segment, and what a program must have got, by the guest's account and the devices' takes.
 *
 * The clock alone excuses a guest. A frame that was written so late that the device may have passed the frame's place is not due, and
 * a frame that was read so late that the buffer may have been full is not due. A segment is judged up to the first jump of the guest's
 * pointer: what is heard of frames that the guest takes back depends on the moment.
 */
import type { OpenRecord, RequestRecord, SegmentRecord, WriteRecord } from "../guest/account.ts";
import { IntervalSet } from "./interval_set.ts";
import type { TakeRun } from "./takes.ts";

/** µs that a daemon needs to bring frames from the guest's buffer to the device's, or back. */
const TRANSFER_MICROS = 8000;
/**
 * Periods of the guest's that a device of plugins has queued, be that silence: four intervals of the engine's, and the one that it
 * sleeps.
 */
const AHEAD_PERIODS = 5 / 4;
/** No clock of a device is faster than that. */
const FASTEST = 1.0006;
/** A shorter run may be noise that a hostile guest plays. */
const LEAST_RUN = 8;

/** Frames that were transferred one after the other, from the guest's pointer `at` on. */
export interface Piece {
  readonly request: RequestRecord;
  readonly at: number;
  readonly frames: number;
}

export interface Judgement {
  /** How many frames were looked at. */
  readonly frames: number;
  /** What is wrong, and with which frame, by the guest's pointer. */
  readonly problem?: { readonly at: number; readonly text: string } | undefined;
}

/** Frames that are to be heard: `from` to before `to` by the guest's pointer. Their numbers are `shift` greater. */
interface Due {
  readonly from: number;
  readonly to: number;
  readonly shift: number;
}

/** The frames that the device has passed, at most, `micros` µs after its start. */
const passedIn = (micros: number, rate: number) => Math.ceil(Math.max(0, micros) / 1e6 * rate * FASTEST);

/** The pieces from the segment's first frame on, as far as each follows the one before and was answered with 0; and the rest. */
function chainOf<T extends Piece>(pieces: readonly T[]): [chain: readonly T[], rest: readonly T[]] {
  let to = 0;
  const end = pieces.findIndex(({ request, at, frames }) => {
    if (request.status !== 0 || at !== to) return true;
    to += frames;
    return false;
  });
  return end < 0 ? [pieces, []] : [pieces.slice(0, end), pieces.slice(end)];
}

/** The pieces from a segment's first frame on, up to the first jump and the first one that was refused. */
export function steadyPieces<T extends Piece>(pieces: readonly T[]): readonly T[] {
  return chainOf(pieces)[0];
}

/** The frames that a device may have passed, or have queued, by the time that a request arrives which was sent `micros` µs after START. */
export function mayHavePassed(micros: number, { rate, periodFrames }: OpenRecord): number {
  return passedIn(micros + TRANSFER_MICROS, rate) + Math.ceil(AHEAD_PERIODS * periodFrames);
}

/**
 * As {@link chainOf}, up to the first write for which the device cannot have made room yet: a core that has slept may believe that the
 * device is a buffer further than it is.
 */
function writesOf(
  { writes, start }: SegmentRecord,
  { rate, bufferFrames }: OpenRecord,
): ReturnType<typeof chainOf<WriteRecord>> {
  const [chain, rest] = chainOf(writes);
  const end = chain.findIndex(({ request, at, frames }) =>
    at + frames > bufferFrames + passedIn(request.sent - start!.sent, rate)
  );
  return end < 0 ? [chain, rest] : [chain.slice(0, end), [...chain.slice(end), ...rest]];
}

/** Up to where the guest's pointer went without a jump, and never went back to. */
function steadyEnd(segment: SegmentRecord, open: OpenRecord): number {
  const [chain, rest] = writesOf(segment, open);
  const last = chain.at(-1);
  return rest.reduce((least, { at }) => Math.min(least, at), last === undefined ? 0 : last.at + last.frames);
}

/** The position, in frames since OPEN, of a segment's first frame: a segment begins at a whole buffer. */
function positionsBegin({ from }: SegmentRecord, bufferFrames: number): number {
  return Math.ceil(from / bufferFrames) * bufferFrames;
}

/** The least that {@link positionsBegin} may be: a segment without a STOP before it jumps to frame 0, on or back. */
export function positionsMayBegin(segment: SegmentRecord, bufferFrames: number): number {
  if (!segment.isAfterSuspend) return positionsBegin(segment, bufferFrames);
  return Math.floor(segment.from / bufferFrames) * bufferFrames;
}

/**
 * How many frames the device has passed by what the guest was told. The core's own pointer may be a buffer ahead: the core takes a
 * late interrupt for one that it has missed.
 */
function passedAtEnd(segment: SegmentRecord, { bufferFrames }: OpenRecord): number {
  const { hwPtr, position } = segment.end!;
  return Math.min(hwPtr, position - positionsBegin(segment, bufferFrames));
}

/** What must have been heard: the position has passed the frames, and they were written in time. */
function dueOf(segment: SegmentRecord, open: OpenRecord, isHardware: boolean): Due[] {
  const { start } = segment;
  const { rate, periodFrames } = open;
  const limit = Math.min(passedAtEnd(segment, open), steadyEnd(segment, open));
  const ahead = isHardware ? 0 : Math.ceil(AHEAD_PERIODS * periodFrames);
  return writesOf(segment, open)[0].flatMap(({ request, at, first, frames }): Due[] => {
    const passed = passedIn(request.sent + TRANSFER_MICROS - start!.sent, rate);
    const late = request.over! <= start!.sent ? 0 : passed + ahead;
    const [from, to] = [Math.max(at, late), Math.min(at + frames, limit)];
    return from < to ? [{ from, to, shift: first - at }] : [];
  });
}

/** The runs of the devices that are the stream's own, which were started before the guest has stopped the segment. */
function ownRuns({ end }: SegmentRecord, runs: readonly TakeRun[]): TakeRun[] {
  const own = new Set(runs.filter(({ count }) => count >= LEAST_RUN).map(({ pcm }) => pcm));
  return runs.filter(({ pcm, startedAt }) => own.has(pcm) && startedAt <= end!.time);
}

/** What is wrong with the order and the places in which frames of a segment were heard. */
function placeProblem(
  segment: SegmentRecord,
  open: OpenRecord,
  runs: readonly TakeRun[],
): Judgement["problem"] {
  const limit = steadyEnd(segment, open);
  const hasJumped = writesOf(segment, open)[1].length > 0;
  const starts = new Map<number, number>();
  let next = 0;
  for (const { take, first, position, count } of runs) {
    const write = segment.writes.find((write) => write.first <= first && first < write.first + write.frames);
    if (write === undefined) continue;
    const at = write.at + first - write.first;
    const start = position - at;
    const usual = starts.get(take) ?? start;
    starts.set(take, usual);
    // Where the guest has jumped on, the daemon plays what it has played a buffer before.
    if (at >= limit || hasJumped && Math.max(next, position - usual) >= limit) break;
    if (at < next) return { at, text: `frame ${first} is heard after frame ${first + next - at - 1}` };
    next = at + count;
    if (start !== usual) {
      return { at, text: `frame ${first} is heard ${start - usual} frames behind its place` };
    }
  }
}

/**
 * `runs`: what was heard of the segment, which has ended.
 * @param mayMiss whether frames may be missing for which the host had no time
 */
export function judgePlayed(
  segment: SegmentRecord,
  open: OpenRecord,
  runs: readonly TakeRun[],
  mayMiss = false,
): Judgement {
  const own = ownRuns(segment, runs);
  const isHardware = own.length > 0 && own.every(({ pcm }) => pcm.type === "HW");
  const due = dueOf(segment, open, isHardware);
  const frames = due.reduce((sum, { from, to }) => sum + to - from, 0);
  if (frames < LEAST_RUN) return { frames: 0 };
  const heard = new IntervalSet();
  for (const { first, count } of own) heard.add(first, first + count);
  for (const { from, to, shift } of due) {
    const missing = to - from - heard.count(from + shift, to + shift);
    if (missing === 0 || mayMiss) continue;
    const text = `${missing} of the frames ${from + shift} to ${to + shift} are not heard`;
    return { frames, problem: { at: from, text } };
  }
  return { frames, problem: placeProblem(segment, open, own) };
}

/** `hasOrigin`: as in `Takes`. `mayMiss`: as in {@link judgePlayed}. */
export function judgeRecorded(
  { reads, start }: SegmentRecord,
  { rate, bufferFrames }: OpenRecord,
  hasOrigin: (origin: number) => boolean,
  mayMiss = false,
): Judgement {
  let origin: number | undefined;
  let judged = 0;
  for (const { request, at, frames, words } of chainOf(reads)[0]) {
    if (passedIn(request.over! + TRANSFER_MICROS - start!.sent, rate) > at + bufferFrames) break;
    judged += frames;
    let place = at;
    for (const { first, count } of words) {
      if (first === 0 && mayMiss) {
        place += count;
        continue;
      }
      origin ??= first - place;
      if (first === 0 || first - place !== origin || !hasOrigin(origin)) {
        const what = first === 0 ? "silence" : `the microphone's frame ${first}`;
        return { frames: judged, problem: { at: place, text: `frame ${place} is ${what}` } };
      }
      place += count;
    }
  }
  return { frames: judged };
}
