// SPDX-License-Identifier: MIT
/**
 * What must hold of a guest's account, as functions of the account alone. An {@link AccountCheck} goes on where its last look has
 * ended. The world calls it after each of its events.
 */
import { XENSND_OP_HW_PARAM_QUERY } from "../../../lib/sndif/mod.ts";
import type { EventRecord, OpenRecord, RequestRecord, SegmentRecord, StreamAccount } from "./account.ts";

export interface Finding {
  readonly time: number;
  readonly text: string;
}

/** A time in which nobody can answer: the daemon is dead, XenStore is away, the guest is paused. */
export interface Span {
  readonly from: number;
  /** Infinity while it lasts. */
  readonly to: number;
}

/** µs of [from, to) outside of `excuses`, which may overlap each other. */
export function unexcused(from: number, to: number, excuses: readonly Span[]): number {
  const inside = excuses.map((span) => ({ from: Math.max(from, span.from), to: Math.min(to, span.to) }))
    .filter((span) => span.from < span.to).sort((a, b) => a.from - b.from);
  let left = to - from;
  let end = from;
  for (const span of inside) {
    if (span.to <= end) continue;
    left -= span.to - Math.max(end, span.from);
    end = span.to;
  }
  return left;
}

export interface CheckOptions {
  /** µs that a request may take, besides excused times. */
  readonly bound: (request: RequestRecord) => number;
  /** µs in which a guest is told of an answer that is on the ring. */
  readonly toldIn: number;
}

/** What an account is judged by. */
export interface Circumstances {
  readonly now: number;
  /** Times in which nobody can answer. */
  readonly excuses?: readonly Span[];
  /** Times in which the guest does nothing. */
  readonly pauses?: readonly Span[];
  /** Since when a daemon has had the stream's ring; undefined: none has. */
  readonly connectedAt?: number;
}

export class AccountCheck {
  #requests = 0;
  #strays = 0;
  #events = 0;
  #incidents = 0;
  /** Requests that wait, or waited in vain. */
  #open: RequestRecord[] = [];
  /** When the answer was first seen on the ring to a request whose thread still waits. */
  readonly #published = new Map<RequestRecord, number>();
  /** The last position that the driver accepted, octets, of the OPEN `number`. */
  #last = { number: 0, position: 0 };
  /** Events of one position, of which the driver must accept one. */
  #group: EventRecord[] = [];

  constructor(readonly account: StreamAccount, private readonly options: CheckOptions) {}

  /** What is wrong, and was not said before. */
  check(circumstances: Circumstances): Finding[] {
    return [...this.#checkRequests(circumstances), ...this.#checkEvents(), ...this.#checkIncidents()];
  }

  *#checkRequests(circumstances: Circumstances): Generator<Finding> {
    const { account } = this;
    const { requests, strays, forgotten } = account;
    for (; this.#strays < strays.length; this.#strays++) {
      const { ring, index, id, operation, time } = strays[this.#strays]!;
      const text = `response ${index} on ring ${ring}, id ${id}, operation ${operation}, answers no request`;
      yield this.#found(time, text);
    }
    for (; this.#requests < forgotten.requests + requests.length; this.#requests++) {
      this.#open.push(requests[this.#requests - forgotten.requests]!);
    }
    const left: RequestRecord[] = [];
    for (const request of this.#open) {
      const { text, isOver } = this.#judge(request, circumstances);
      if (text !== undefined) yield this.#found(circumstances.now, `request ${nameOf(request)} ${text}`);
      if (isOver) this.#published.delete(request);
      else left.push(request);
    }
    this.#open = left;
  }

  /** What is wrong with a request, and whether there is nothing more to say about it. */
  #judge(request: RequestRecord, circumstances: Circumstances): { text?: string; isOver: boolean } {
    const { now, excuses = [] } = circumstances;
    const { status, answered, sent, outcome, over } = request;
    if (outcome === "aborted") return { isOver: true };
    // A driver that has given up, and closed the PCM, leaves the answer on the ring until it waits for another one.
    const seen = outcome === "timedOut" && answered !== undefined ? over : answered;
    const produced = this.account.answersOnRing?.();
    // Nobody can answer on a ring that the driver has given back.
    const endedAt = produced?.ring === request.ring ? produced.endedAt : undefined;
    const took = unexcused(sent, seen ?? endedAt ?? now, excuses);
    const bound = this.options.bound(request);
    if (answered !== undefined) {
      if (took > bound) return { text: `was answered after ${took} µs, not ${bound}`, isOver: true };
      if (status! > 0) return { text: `was answered with ${status}`, isOver: true };
      return { isOver: true };
    }
    if (produced !== undefined && produced.ring > request.ring) return { isOver: true };
    // A driver that opens again counts ids from 0, and may take the answer to a request that timed out for this one's.
    if (produced !== undefined && produced.count > request.index && outcome !== "waits") {
      return { isOver: true };
    }
    if (outcome === "waits" && produced?.ring === request.ring && produced.count > request.index) {
      const untold = this.#untoldFor(request, circumstances);
      if (untold <= this.options.toldIn) return { isOver: false };
      return {
        text: `has an answer on the ring, of which the guest is not told for ${untold} µs`,
        isOver: true,
      };
    }
    if (took <= bound) return { isOver: endedAt !== undefined };
    return { text: `has no answer after ${took} µs`, isOver: true };
  }

  /** For how many µs an answer has been on the ring, and a daemon there that could tell the guest. */
  #untoldFor(request: RequestRecord, { now, pauses = [], connectedAt }: Circumstances): number {
    const seen = this.#published.get(request) ?? now;
    this.#published.set(request, seen);
    return connectedAt === undefined ? 0 : unexcused(Math.max(seen, connectedAt), now, pauses);
  }

  *#checkEvents(): Generator<Finding> {
    const { events, forgotten } = this.account;
    for (; this.#events < forgotten.events + events.length; this.#events++) {
      const event = events[this.#events - forgotten.events]!;
      const before = this.#group.at(-1);
      if (
        before !== undefined &&
        (before.position !== event.position || before.open !== event.open || before.ring !== event.ring)
      ) {
        yield* this.#judgeGroup();
        this.#group = [];
      }
      this.#group.push(event);
      if (event.isAccepted) yield* this.#judgePosition(event);
    }
  }

  /** The driver's generation accepts each position, in one event or the other. */
  *#judgeGroup(): Generator<Finding> {
    if (this.#group.some(({ isAccepted }) => isAccepted)) return;
    const { time, index, id, expected, position } = this.#group[0]!;
    const text =
      `${this.account.generation} drops position ${position}: event ${index} has id ${id}, not ${expected}`;
    yield this.#found(time, text);
  }

  /** A position is of an open stream, and whole frames on from the last one, by less than the buffer. */
  *#judgePosition(event: EventRecord): Generator<Finding> {
    const { time, position } = event;
    const open = this.account.opens.find(({ number }) => number === event.open);
    if (!event.isOpen || open === undefined || (event.index - open.firstEvent | 0) < 0) {
      const text = `position ${position}, event ${event.index}, is of no stream that is open`;
      if (this.account.timeouts === 0) yield this.#found(time, text);
      return;
    }
    const { number, frameBytes, bufferFrames } = open;
    const last = this.#last.number === number ? this.#last.position : 0;
    this.#last = { number, position };
    if (position % frameBytes !== 0) yield this.#found(time, `position ${position} is no whole frame`);
    if (position < last) yield this.#found(time, `position ${position} comes after ${last}`);
    if (position - last >= bufferFrames * frameBytes) {
      yield this.#found(time, `position ${position} steps a buffer of ${bufferFrames} frames, from ${last}`);
    }
  }

  *#checkIncidents(): Generator<Finding> {
    const { incidents } = this.account;
    for (; this.#incidents < incidents.length; this.#incidents++) {
      const { kind, text, time, isBackends } = incidents[this.#incidents]!;
      if (isBackends) {
        yield this.#found(time, `${kind}: ${text}`);
      }
    }
  }

  #found(time: number, text: string): Finding {
    return { time, text: `${this.account.name}: ${text}` };
  }
}

function nameOf({ ring, index, operation, argument, length }: RequestRecord): string {
  const values = operation === XENSND_OP_HW_PARAM_QUERY ? "" : ` (${argument}, ${length})`;
  return `${index} on ring ${ring}, operation ${operation}${values},`;
}

/** Where the frames of a stream, or of one segment, are by the guest's own count. */
export interface FrameSums {
  /** WRITEs answered with 0. */
  readonly accepted: number;
  /** Of these: another WRITE has taken their place in the buffer, after a rewind. */
  readonly rewritten: number;
  /** Of these: not yet passed by the pointer as the guest stopped the stream. */
  readonly discarded: number;
  /** Of these: passed by the pointer. The device may have played more. */
  readonly passed: number;
  /** Of these: in the buffer of a stream that was not stopped. */
  readonly queued: number;
}

const NOTHING: FrameSums = { accepted: 0, rewritten: 0, discarded: 0, passed: 0, queued: 0 };

/** The sums of one segment of playback. `hwPtr`: the core's pointer, if the segment goes on. */
export function segmentSums(segment: SegmentRecord, hwPtr = 0): FrameSums {
  const { writes, end } = segment;
  const good = writes.filter(({ request }) => request.status === 0);
  const accepted = good.reduce((sum, { frames }) => sum + frames, 0);
  const pointer = end?.hwPtr ?? hwPtr;
  let covered = 0;
  let passed = 0;
  let to = 0;
  const ranges = good.map(({ at, frames }) => ({ from: at, to: at + frames })).sort((a, b) =>
    a.from - b.from
  );
  for (const range of ranges) {
    const from = Math.max(to, range.from);
    to = Math.max(to, range.to);
    if (from >= range.to) continue;
    covered += range.to - from;
    passed += Math.max(0, Math.min(range.to, pointer) - from);
  }
  const rest = covered - passed;
  return {
    accepted,
    rewritten: accepted - covered,
    passed,
    discarded: end === undefined ? 0 : rest,
    queued: end === undefined ? rest : 0,
  };
}

/** The sums of a stream's segments that the account still has. */
export function frameSums(account: StreamAccount, hwPtr = 0): FrameSums {
  return account.segments.map((segment) => segmentSums(segment, hwPtr)).reduce(
    (a, b) => ({
      accepted: a.accepted + b.accepted,
      rewritten: a.rewritten + b.rewritten,
      discarded: a.discarded + b.discarded,
      passed: a.passed + b.passed,
      queued: a.queued + b.queued,
    }),
    NOTHING,
  );
}

/**
 * The numbers that the buffer held for the frames [from, to) of a segment, by the last WRITE that was answered with 0; 0 where
 * there was none.
 */
export function numbersOf({ writes }: SegmentRecord, from: number, to: number): Uint32Array {
  const numbers = new Uint32Array(to - from);
  for (const { request, at, first, frames } of writes) {
    if (request.status !== 0) continue;
    for (let i = Math.max(from, at); i < Math.min(to, at + frames); i++) numbers[i - from] = first + i - at;
  }
  return numbers;
}

/** The guest's own view of an OPEN at its CLOSE. */
export interface CloseView {
  readonly open: OpenRecord;
  /** Frames since OPEN, by the last position that the driver accepted. */
  readonly position: number;
  /** µs from each START to the STOP after it, summed up. */
  readonly ran: number;
  readonly segments: number;
}

/** The views of the OPENs that are closed. */
export function closeViews({ opens, segments }: StreamAccount): CloseView[] {
  return opens.filter(({ close }) => close !== undefined).map((open) => {
    const own = segments.filter((segment) => segment.open === open.number);
    const ran = own.reduce((sum, { starts, end }) => {
      return starts.length === 0 || end === undefined ? sum : sum + end.time - starts[0]!;
    }, 0);
    return { open, position: open.close!.position, ran, segments: own.length };
  });
}

/**
 * A position cannot run ahead of the clock: of `1 + drift` times the rate, besides a buffer for each segment (STOP takes the
 * pointer to the buffer's end) and one more.
 */
export function tooFast(views: readonly CloseView[], drift: number): Finding[] {
  return views.flatMap(({ open, position, ran, segments }) => {
    const most = ran / 1e6 * open.rate * (1 + drift) + (segments + 1) * open.bufferFrames;
    if (position <= most) return [];
    const text = `OPEN ${open.number} ends at frame ${position} after ${ran} µs at ${open.rate} Hz`;
    return [{ time: open.request.sent, text }];
  });
}
