// SPDX-License-Identifier: MIT
/**
 * The account of a guest's stream: each request with its answer, each event, each frame that a program has written or read.
 * Frames are counted for good: the driver, the connection, the card and the backend may begin anew meanwhile. All times are µs
 * of the world's clock. `checks.ts` says what must hold of an account.
 */
import type { EventIdBehaviour } from "../../../lib/sndif/mod.ts";
import type { Direction } from "../../../lib/pcm/pcm.ts";

/**
 * - `waits`: the guest's thread waits for the answer.
 * - `answered`: the answer came while the thread waited.
 * - `timedOut`: the thread waited for 3 s. The answer may have come later.
 * - `aborted`: the driver has freed the ring under the thread.
 */
export type Outcome = "waits" | "answered" | "timedOut" | "aborted";

/** A request that was put on a ring. */
export interface RequestRecord {
  /** The stream's how manieth ring, from 1. */
  readonly ring: number;
  /** The request's index on that ring, from 0. */
  readonly index: number;
  readonly id: number;
  /** `XENSND_OP_*`. */
  readonly operation: number;
  /** READ and WRITE: the offset, octets. TRIGGER: the type. OPEN: the octets of the buffer. */
  readonly argument: number;
  /** READ and WRITE: octets. OPEN: the octets of a period. */
  readonly length: number;
  readonly sent: number;
  outcome: Outcome;
  /** When the thread went on. */
  over?: number;
  /** When the driver took the answer, and what it said. */
  answered?: number;
  status?: number;
}

/** An answer that answers no request: of another id or operation, or a second one. */
export interface StrayAnswer {
  readonly ring: number;
  readonly index: number;
  readonly id: number;
  readonly operation: number;
  readonly time: number;
}

/** An event that the driver has looked at. */
export interface EventRecord {
  readonly ring: number;
  readonly index: number;
  readonly id: number;
  /** The id that this generation of the driver expects. */
  readonly expected: number;
  readonly isAccepted: boolean;
  /** Octets since OPEN. */
  readonly position: number;
  /** How many OPENs had been answered with 0, and whether the stream was between one and its CLOSE. */
  readonly open: number;
  readonly isOpen: boolean;
  readonly time: number;
}

/** WRITE: frames of a program's, numbered from {@link first}. */
export interface WriteRecord {
  readonly request: RequestRecord;
  /** The ALSA core's pointer of the application, from the beginning of the segment. */
  readonly at: number;
  readonly first: number;
  readonly frames: number;
}

/** READ: what a program has got. */
export interface ReadRecord {
  readonly request: RequestRecord;
  readonly at: number;
  readonly frames: number;
  /** The frames themselves, if they are {@link WordRun}s. */
  readonly words: readonly WordRun[];
}

/** Successive words in what was read: `first`, `first + 1`, ...; or zeros one after the other. */
export interface WordRun {
  readonly first: number;
  readonly count: number;
}

/** The runs of `words`, in their order. */
export function wordRuns(words: Uint32Array): WordRun[] {
  const runs: WordRun[] = [];
  for (let at = 0; at < words.length;) {
    const first = words[at]!;
    let count = 1;
    while (at + count < words.length && words[at + count] === (first === 0 ? 0 : first + count)) count++;
    runs.push({ first, count });
    at += count;
  }
  return runs;
}

export type SegmentCause = "stop" | "xrun" | "drained" | "close" | "suspend" | "disconnect";

/** From a `prepare` to the STOP or CLOSE after it. The ALSA core counts its pointers from the beginning of a segment. */
export interface SegmentRecord {
  readonly open: number;
  readonly began: number;
  /** The position that the driver knew as the segment began, in frames since OPEN. */
  readonly from: number;
  /** Whether no STOP has ended the segment before: the ALSA core began at frame 0 again after a suspend. */
  readonly isAfterSuspend: boolean;
  readonly writes: WriteRecord[];
  readonly reads: ReadRecord[];
  /** Times of the STARTs that were answered with 0. */
  readonly starts: number[];
  /** The first of them. */
  start?: RequestRecord;
  end?: SegmentEnd;
}

export interface SegmentEnd {
  readonly time: number;
  readonly cause: SegmentCause;
  /** As the STOP was sent: the core's pointers, and the position that the driver knew, in frames since OPEN. */
  readonly hwPtr: number;
  readonly applPtr: number;
  readonly position: number;
}

/** From an OPEN that was answered with 0 to the CLOSE, or to the next OPEN. */
export interface OpenRecord {
  readonly number: number;
  readonly request: RequestRecord;
  readonly rate: number;
  readonly channels: number;
  readonly format: number;
  readonly frameBytes: number;
  readonly bufferFrames: number;
  readonly periodFrames: number;
  /** The event page's producer index as OPEN was answered: events before are of an earlier OPEN. */
  readonly firstEvent: number;
  close?: CloseRecord;
}

/** What the guest knew as the CLOSE was sent. */
export interface CloseRecord {
  readonly request: RequestRecord | undefined;
  /** The last position that was told, in frames since OPEN. */
  readonly position: number;
  readonly hwPtr: number;
  readonly applPtr: number;
}

/** What went wrong in the guest's kernel. */
export interface Incident {
  readonly time: number;
  readonly kind:
    | "divide error"
    | "use after free"
    | "broken ring"
    | "broken event page"
    | "full ring"
    | "xenbus fatal"
    | "wrong position"
    | "no memory";
  readonly text: string;
  /** Whether nobody but the backend can be to blame. */
  readonly isBackends: boolean;
}

/** What a backend does to a kernel that trusts it. */
const BACKENDS = new Set<Incident["kind"]>([
  "divide error",
  "broken ring",
  "broken event page",
  "wrong position",
]);

/** The number of a frame in the low three octets of its word; the stream's tag above. */
export function wordOf(tag: number, frame: number): number {
  return (tag << 24 | frame & 0xffffff) >>> 0;
}

export class StreamAccount {
  readonly requests: RequestRecord[] = [];
  readonly strays: StrayAnswer[] = [];
  readonly events: EventRecord[] = [];
  readonly opens: OpenRecord[] = [];
  readonly segments: SegmentRecord[] = [];
  readonly incidents: Incident[] = [];
  /** The number of the next frame. */
  nextFrame = 1;
  /** Frames of the WRITEs that were answered with 0, and of those that were not. */
  accepted = 0;
  refused = 0;
  /** Frames that programs have read. */
  read = 0;
  /** xruns by the ALSA core's count. */
  xruns = 0;
  /** Rings that the driver has made for the stream, and the grant of the latest. */
  rings = 0;
  ringRef = -1;
  /** Requests on the present ring whose answer came too late, or never. */
  timeouts = 0;
  #hasJumpedOn = false;
  #hasRewound = false;
  /** The octets of a frame, of OPENs that were forgotten. */
  readonly #formerFrameBytes = new Set<number>();
  /** Items that {@link forget} has dropped from each list. */
  readonly forgotten = { requests: 0, events: 0, segments: 0 };
  /**
   * The latest ring, how many responses the backend has put there, and when the driver gave the ring back. The driver looks at none
   * while its PCM is closed; undefined before the first ring.
   */
  answersOnRing:
    | (() => { readonly ring: number; readonly count: number; readonly endedAt?: number })
    | undefined;

  constructor(
    /** `device/vsnd/CARD PCM/STREAM` */
    readonly name: string,
    readonly direction: Direction,
    readonly tag: number,
    readonly generation: EventIdBehaviour,
  ) {}

  /** The present OPEN. */
  get open(): OpenRecord | undefined {
    const last = this.opens.at(-1);
    return last?.close === undefined ? last : undefined;
  }

  /** The present segment. */
  get segment(): SegmentRecord | undefined {
    const last = this.segments.at(-1);
    return last?.end === undefined ? last : undefined;
  }

  /**
   * By default blames the backend for what a driver gets wrong that trusts it. After a timeout the driver is to blame itself: it may
   * have closed its PCM while the backend knew nothing of that.
   */
  incident(time: number, kind: Incident["kind"], text: string, isBackends?: boolean): void {
    const isBlamed = isBackends ?? (BACKENDS.has(kind) && this.timeouts === 0);
    this.incidents.push({ time, kind, text, isBackends: isBlamed });
  }

  /**
   * Whether the guest has left frames out, with snd_pcm_forward: a device plays what its buffer holds there, which is what the guest
   * wrote a round before. After a suspend the stock driver's ALSA core begins at frame 0 again without a STOP, which is a jump, too.
   */
  get hasJumpedOn(): boolean {
    return this.#hasJumpedOn ||= this.segments.some(({ writes, end }) =>
      end?.cause === "suspend" ||
      writes.some(({ at }, i) => at > (i === 0 ? 0 : writes[i - 1]!.at + writes[i - 1]!.frames))
    );
  }

  /**
   * Whether the guest has written again what it had queued. The device may have passed the place by a good part of the buffer when the
   * WRITE is served; then it looks like one that jumps on.
   */
  get hasRewound(): boolean {
    return this.#hasRewound ||= this.segments.some(({ writes }) =>
      writes.some(({ at }, i) => i > 0 && at < writes[i - 1]!.at + writes[i - 1]!.frames)
    );
  }

  /** Whether each frame of the stream has had `octets` octets. */
  hasFramesOf(octets: number): boolean {
    return this.opens.every(({ frameBytes }) => frameBytes === octets) &&
      [...this.#formerFrameBytes].every((former) => former === octets);
  }

  /** Forgets what was over before the time `before`: requests, events, segments, OPENs. A long world takes memory. */
  forget(before: number): void {
    const { forgotten } = this;
    this.#hasJumpedOn = this.hasJumpedOn;
    this.#hasRewound = this.hasRewound;
    for (const { frameBytes } of this.opens) this.#formerFrameBytes.add(frameBytes);
    forgotten.requests += drop(this.requests, ({ over }) => over !== undefined && over < before);
    forgotten.events += drop(this.events, ({ time }) => time < before);
    forgotten.segments += drop(this.segments, ({ end }) => end !== undefined && end.time < before);
    drop(this.opens, ({ close }) => close?.request?.over !== undefined && close.request.over < before);
  }
}

/** Drops the first items of a list that are over. Returns how many. */
function drop<T>(list: T[], isOver: (item: T) => boolean): number {
  let count = 0;
  while (count < list.length - 1 && isOver(list[count]!)) count++;
  list.splice(0, count);
  return count;
}
