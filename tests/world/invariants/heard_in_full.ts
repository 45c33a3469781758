// SPDX-License-Identifier: MIT
/**
 * That other guests cost a stream no sound, in calm worlds (`calm.ts`): what the devices played and recorded is compared with what
 * the guest wrote and read. The daemon's counters are not asked. A segment is judged when it has ended.
 */
import { FORMATS, XENSND_OP_WRITE } from "../../../lib/sndif/mod.ts";
import type { OpenRecord, SegmentRecord, StreamAccount } from "../guest/account.ts";
import { COUNTABLE } from "../guest/shared_buffer.ts";
import type { Invariant } from "./invariants.ts";
import { type Judgement, judgePlayed, judgeRecorded, type Piece } from "./segments_judged.ts";
import type { TakeRun, Takes } from "./takes.ts";

/** Lines of the log on either side of a frame that something is wrong with. */
const NOTES = 12;

/** Whether the backend still had frames of a former segment: the guest sends no STOP for one that was never started, or suspended. */
function hasLeftOvers(segments: readonly SegmentRecord[], index: number): boolean {
  const { open } = segments[index]!;
  for (let i = index - 1; i >= 0 && segments[i]!.open === open; i--) {
    const { starts, writes, end } = segments[i]!;
    if (starts.length > 0) return end!.cause === "suspend";
    if (writes.length > 0) return true;
  }
  return false;
}

/** Whether the segment ended while a WRITE waited for its answer, of which it is not known where the guest's pointer was. */
function hasHangingWrite({ requests }: StreamAccount, { writes, began, end }: SegmentRecord): boolean {
  for (let i = requests.length - 1; i >= 0 && requests[i]!.sent >= began; i--) {
    const request = requests[i]!;
    if (request.operation !== XENSND_OP_WRITE || request.sent > end!.time) continue;
    return request !== writes.at(-1)?.request;
  }
  return false;
}

function piecesOf({ writes, reads }: SegmentRecord): readonly Piece[] {
  return writes.length > 0 ? writes : reads;
}

function endOfNumbers({ writes }: SegmentRecord): number {
  const last = writes.at(-1);
  return last === undefined ? 0 : last.first + last.frames;
}

/** Lines for whoever looks for the reason. */
function notesOf(segment: SegmentRecord, runs: readonly TakeRun[], at: number): string[] {
  const { writes, start, end } = segment;
  const write = writes.findLast((write) => write.at <= at);
  const number = at + (write === undefined ? 0 : write.first - write.at);
  const heard = runs.filter(({ first, count }) => first + count >= number).slice(0, NOTES);
  const pieces = piecesOf(segment);
  const index = pieces.findLastIndex((piece) => piece.at <= at);
  return [
    `  START sent ${start?.sent}; the end at ${end?.time}, ${end?.cause}, pointer ${end?.hwPtr}; frame ${at} has number ${number}`,
    ...pieces.slice(Math.max(0, index - NOTES), index + NOTES).map((piece) =>
      `  ${piece.frames} frames at ${piece.at}, sent ${piece.request.sent}, over ${piece.request.over}, status ${piece.request.status}`
    ),
    ...heard.map(({ pcm, take, first, count, position }) =>
      `  frames ${first} to ${first + count} heard by ${pcm.label}, take ${take}, position ${position}`
    ),
  ];
}

export class FullHearing {
  /** How many segments of each stream were judged. */
  readonly #judged = new WeakMap<StreamAccount, number>();
  /** Frames that were judged, and all that were written or read in segments that have ended. */
  readonly #sums = { playback: { judged: 0, all: 0 }, capture: { judged: 0, all: 0 } };

  /** @param mayMiss whether the host itself costs frames */
  constructor(
    private readonly takes: Takes,
    private readonly note: (text: string) => void,
    private readonly mayMiss: boolean,
  ) {}

  /** What is wrong with the segments of `account` that have ended since the last call. */
  check(account: StreamAccount): string | undefined {
    const { segments, forgotten } = account;
    let index = Math.max(0, (this.#judged.get(account) ?? 0) - forgotten.segments);
    for (; index < segments.length && segments[index]!.end !== undefined; index++) {
      this.#judged.set(account, forgotten.segments + index + 1);
      const problem = this.#look(account, index);
      if (problem !== undefined) return problem;
    }
  }

  #look(account: StreamAccount, index: number): string | undefined {
    const { direction, name, opens, segments } = account;
    const segment = segments[index]!;
    const runs = this.takes.takeOut(account, endOfNumbers(segment));
    const open = opens.find(({ number }) => number === segment.open);
    if (open?.frameBytes !== COUNTABLE) return undefined;
    const sum = this.#sums[direction];
    for (const { frames } of piecesOf(segment)) sum.all += frames;
    if (segment.start === undefined || hasLeftOvers(segments, index)) return undefined;
    if (hasHangingWrite(account, segment)) return undefined;
    const { frames, problem } = this.#judge(account, segment, open, runs);
    sum.judged += frames;
    if (problem === undefined) return undefined;
    for (const line of notesOf(segment, runs, problem.at)) this.note(line);
    const { rate, format, channels, periodFrames, bufferFrames } = open;
    return `${name}, ${rate} Hz, ${
      FORMATS[format]!.name
    }, ${channels} channels, ${bufferFrames} frames in periods of ${periodFrames}, ` +
      `from ${segment.began} µs on: ${problem.text}`;
  }

  #judge(
    { direction }: StreamAccount,
    segment: SegmentRecord,
    open: OpenRecord,
    runs: readonly TakeRun[],
  ): Judgement {
    return direction === "playback"
      ? judgePlayed(segment, open, runs, this.mayMiss)
      : judgeRecorded(segment, open, (origin) => this.takes.hasOrigin(origin), this.mayMiss);
  }

  /** For the log. */
  get summary(): string {
    const { playback, capture } = this.#sums;
    return `heard in full: ${playback.judged} of ${playback.all} frames that were written are judged, ` +
      `${capture.judged} of ${capture.all} that were read`;
  }
}

export const heardInFull: Invariant = {
  name: "heardInFull",
  check({ fullHearing, population }) {
    if (fullHearing === undefined) return undefined;
    for (const { kernel, name, domain } of population.present) {
      for (const account of kernel.accounts) {
        const problem = fullHearing.check(account);
        if (problem !== undefined) return `${name}(${domain.domid}) ${problem}`;
      }
    }
  },
};
