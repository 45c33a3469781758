// SPDX-License-Identifier: MIT
/**
 * Which hold, volume and mute may be in force, by what operators have asked and how that ended. Each of the three is a register, which
 * commands write at some moment between the sending of their request and its end. A value is allowed if it may be the last one that
 * was written, by what was seen before, too. So a command that was refused, timed out or cancelled must never be seen to happen, and
 * one that was answered must be in force from its answer until another one may have undone it. A mute may have an end, at which the
 * daemon, or the next one, ends it, unless another mute or unmute has come before.
 */
import { isMeantBy, nameByNumber } from "../../../lib/stream/stream_name.ts";
import { afterOperatorTrigger, type Hold } from "../../../lib/stream/stream_state.ts";
import { Exit } from "../../../lib/base/error.ts";
import type { Clock } from "../machine/clock.ts";
import type { Asked } from "./record.ts";

/** What operators set. */
export interface Settings {
  readonly hold: Hold;
  /** dB. */
  readonly volume: number;
  readonly muted: boolean;
}

type Field = keyof Settings;
type Value = Settings[Field];

/** The settings of a stream that nobody has touched. */
export const UNTOUCHED: Settings = { hold: "none", volume: 0, muted: false };

export const FIELDS = ["hold", "volume", "muted"] as const satisfies readonly Field[];

/** A refusal of a trigger that is in force all the same: the daemon knows it, and the device has yet to obey. */
const HOLDS_ALREADY = /^\w+ holds for .* has not obeyed yet/;

/** A refusal of a setting that XenStore may have kept as it died: the daemon writes the former one again. */
const IS_AWAY = /XenStore, which is to keep it, is away/;

/** µs in which a daemon has ended a mute, once XenStore is there again. */
const STORE_BACK_MICROS = 8_000_000;

/** A value that a request writes. */
interface Write {
  readonly value: Value;
  /** The write happens at some time from `from` to `by`, if it happens. */
  readonly from: number;
  readonly by: number;
  /** Whether it has happened. */
  readonly isSure: boolean;
  /** After how many µs the daemon undoes it. */
  readonly endsAfter?: number;
  /** Nothing that is seen after this time comes of it: another write has happened since. */
  readonly gone?: number;
}

/** How one stream's field began. */
interface Register {
  /** The value at the beginning; undefined: any. */
  readonly initial: Value | undefined;
  /** Writes that ended before have no effect: the settings went with the former card. */
  readonly since: number;
}

/** What was seen of a field at some time from `from` to `to`. */
interface Sight {
  readonly stream: string;
  readonly field: Field;
  readonly value: Value;
  readonly from: number;
  readonly to: number;
  /** What was seen before. */
  readonly before: Write | undefined;
}

export interface Patience {
  /** How long after a client has gone the daemon may still carry out what that client has asked, µs. */
  readonly grace: number;
  /** How long after it has carried out a request the daemon may take to answer, µs. */
  readonly answer: number;
}

/** `DOMID/CARD/PCM/STREAM`: a stream whatever its domain is called. */
export { nameByNumber as streamKey };

export class InForce {
  readonly #registers = new Map<string, Register>();
  /** What was seen last of each field. */
  readonly #seen = new Map<string, Write>();
  /** What is right only if a request that still waits has been carried out. */
  readonly #provisional: Sight[] = [];

  /** The requests that have, or may have, an effect. */
  #effective: Asked[] = [];
  /** How many requests are in {@link #effective}, or have none. */
  #taken = 0;

  /**
   * @param asked all requests so far, in the order of their sending
   * @param namesOf the names that the stream of a {@link streamKey} has, or has had
   */
  constructor(
    private readonly clock: Clock,
    private readonly asked: () => readonly Asked[],
    private readonly patience: Patience,
    private readonly namesOf: (stream: string) => Iterable<string>,
    private readonly wasStoreLost: (from: number, to: number) => boolean = () => false,
  ) {}

  /** `stream` is a new card's since `at`: it has `settings`, or nobody knows which. */
  reset(stream: string, at: number, settings: Settings | "unknown" = UNTOUCHED): void {
    for (const field of FIELDS) {
      const initial = settings === "unknown" ? undefined : settings[field];
      this.#registers.set(`${field} ${stream}`, { initial, since: at });
      this.#seen.delete(`${field} ${stream}`);
    }
    const others = this.#provisional.filter((seen) => seen.stream !== stream);
    this.#provisional.splice(0, Infinity, ...others);
  }

  /**
   * What is wrong with the settings of `stream`, which were seen at some time from `from` to `to`; undefined if nothing is. A stream
   * that was never {@link reset} is untouched at the beginning.
   */
  complaint(stream: string, seen: Settings, from: number, to = from): string | undefined {
    const lastEnd = this.#lastEnd();
    for (const field of FIELDS) {
      const before = this.#seen.get(`${field} ${stream}`);
      const sight = { stream, field, value: seen[field], from, to, before };
      // A value that was seen before stands, as no request has ended since.
      const stands = before?.value === sight.value && before.from <= to && lastEnd <= before.by;
      if (!stands && !this.#isRight(sight, true)) return this.#describe(sight);
      if (!stands && !this.#isRight(sight, false)) this.#provisional.push(sight);
      this.#note(sight);
    }
  }

  /**
   * The time, after `after`, in which requests for settings of the stream were refused that XenStore may keep all the same, or whose
   * clients had gone, or did not read, as XenStore was lost: from the first request to the last refusal, or to the present if an answer
   * was not read yet, µs. undefined: there was none.
   */
  doubt(stream: string, after: number): { readonly from: number; readonly to: number } | undefined {
    let [from, to] = [Infinity, -Infinity];
    for (const asked of this.asked()) {
      const { sentAt, endedAt } = asked;
      if (endedAt <= after || !this.#mayBeLost(asked) || !this.#isMeant(asked, stream)) continue;
      [from, to] = [Math.min(from, sentAt), Math.max(to, Math.min(endedAt, this.clock.now))];
    }
    for (const due of this.#endsInDoubt(stream)) [from, to] = [Math.min(from, due), this.clock.now];
    return to === -Infinity ? undefined : { from, to };
  }

  /** Whether XenStore may have been lost as the daemon kept what the request sets, and the request is refused. */
  #mayBeLost({ request, outcome, sentAt, endedAt }: Asked): boolean {
    if (outcome?.kind === "refused") return IS_AWAY.test(outcome.error);
    const isUnread = outcome === undefined || outcome.kind === "cancelled" || outcome.kind === "broken";
    return isUnread && FIELDS.some((field) => writtenValue(request, field) !== undefined) &&
      this.wasStoreLost(sentAt, endedAt + this.patience.grace);
  }

  /** When mutes of the stream were to end whose end XenStore may keep, and not have told the daemon so. */
  #endsInDoubt(stream: string): number[] {
    const { now } = this.clock;
    return this.#writesOf(stream, "muted").flatMap(({ from, endsAfter }) => {
      const due = from + (endsAfter ?? Infinity);
      return due <= now && this.wasStoreLost(Math.max(due, now - STORE_BACK_MICROS), now) ? [due] : [];
    });
  }

  /** What was seen of the stream since `since` counts no more. */
  forgetSeen(stream: string, since: number): void {
    for (const field of FIELDS) {
      const seen = this.#seen.get(`${field} ${stream}`);
      if (seen !== undefined && seen.by >= since) this.#seen.delete(`${field} ${stream}`);
    }
    const others = this.#provisional.filter((sight) => sight.stream !== stream || sight.to < since);
    this.#provisional.splice(0, Infinity, ...others);
  }

  /** When the last of the requests ended that are known to have had their effect. */
  #lastEnd(): number {
    this.#take();
    let last = -Infinity;
    for (const asked of this.#effective) {
      if (asked.endedAt > last && effectOf(asked, 0)?.isSure) last = asked.endedAt;
    }
    return last;
  }

  /** Whoever sees a value knows what it is: a command that has ended before, and wrote another one, is of no effect any more. */
  #note({ stream, field, value, from, to, before }: Sight): void {
    if (before !== undefined && before.from > from) return;
    this.#seen.set(`${field} ${stream}`, { value, from, by: to, isSure: true });
  }

  /**
   * What was wrong with settings that were seen: they were right only if a request had been carried out that still waited, and the
   * answer has not come since. undefined if nothing was. To be called now and then.
   */
  belatedComplaint(): string | undefined {
    while (this.#provisional.length > 0) {
      const [sight] = this.#provisional;
      if (sight!.to + this.patience.answer >= this.clock.now) return;
      this.#provisional.shift();
      if (!this.#isRight(sight!, true)) return this.#describe(sight!);
    }
  }

  /** `pending`: with the requests that still wait. */
  #isRight(sight: Sight, pending: boolean): boolean {
    return this.#allowed(sight, pending)?.has(sight.value) ?? true;
  }

  #describe(sight: Sight): string {
    const { stream, field, value, to } = sight;
    const allowed = [...this.#allowed(sight, true) ?? []].join(" or ");
    return `${stream}: ${field} is ${value} at ${to}, and can be ${allowed} alone`;
  }

  /** The values that the field may have at the time `at`, by what is known now; undefined: any. */
  allowed(stream: string, field: Field, at: number): ReadonlySet<Value> | undefined {
    const before = this.#seen.get(`${field} ${stream}`);
    return this.#allowed({ stream, field, from: at, to: at, before }, true);
  }

  #allowed(
    { stream, field, from, to, before }: Omit<Sight, "value">,
    pending: boolean,
  ): ReadonlySet<Value> | undefined {
    const { initial, since } = this.#registers.get(`${field} ${stream}`) ??
      { initial: UNTOUCHED[field], since: 0 };
    // The daemon takes a while to learn of another card: what it answers until then may be about the former one.
    const learnt = since + this.patience.grace;
    const writes = this.#writesOf(stream, field).filter(({ by }) => by > since)
      .map((write) => since > 0 && write.by < learnt ? { ...write, isSure: false } : write);
    if (before !== undefined) writes.push(before);
    const isOverwritten = (by: number) =>
      writes.some((write) => write.isSure && write.from > by && write.by < from);
    const last = writes
      .filter((write) => write.from <= to && !isOverwritten(write.by) && (pending || write.by < Infinity))
      .filter(({ gone = Infinity }) => from <= gone)
      .map(({ value }) => value);
    if (isOverwritten(since)) return new Set(last);
    return initial === undefined ? undefined : new Set([initial, ...last]);
  }

  /** What requests write, or may write, to the field. */
  #writesOf(stream: string, field: Field): Write[] {
    this.#take();
    const writes: Write[] = this.#effective.flatMap((asked) => {
      const value = writtenValue(asked.request, field);
      const effect = effectOf(asked, this.patience.grace);
      if (value === undefined || effect === undefined || !this.#isMeant(asked, stream)) return [];
      // The answer follows soon, to a client that reads.
      const answered = Math.min(asked.endedAt, this.clock.now) - this.patience.answer;
      const from = asked.isRead ? Math.max(asked.sentAt, answered) : asked.sentAt;
      const muteMs = field === "muted" ? muteMsOf(asked.request) : undefined;
      return [{ value, from, ...effect, ...(muteMs !== undefined && { endsAfter: muteMs * 1000 }) }];
    });
    return [
      ...writes,
      ...endsOfMutes(field === "muted" ? [...writes, ...this.#doubtfulMutes(stream)] : writes),
    ];
  }

  /** Mutes with an end that were refused as XenStore was lost. XenStore may have them, and the next daemon ends them. */
  #doubtfulMutes(stream: string): Write[] {
    return this.asked().flatMap((asked) => {
      const muteMs = muteMsOf(asked.request);
      if (muteMs === undefined || asked.outcome?.kind !== "refused") return [];
      if (!this.#mayBeLost(asked) || !this.#isMeant(asked, stream)) return [];
      const { sentAt: from, endedAt: by } = asked;
      return [{ value: true, from, by, isSure: false, endsAfter: muteMs * 1000 }];
    });
  }

  /** Whether the request is about `stream`. Without an answer, the daemon may have understood any of its names so. */
  #isMeant({ request, outcome }: Asked, stream: string): boolean {
    if (outcome?.kind === "done" && outcome.report !== undefined) {
      return nameByNumber(outcome.report) === stream;
    }
    if (typeof request === "string" || !("stream" in request)) return false;
    const domid = Number.parseInt(stream);
    return [...this.namesOf(stream)].some((name) => isMeantBy({ stream: name, domid }, request.stream));
  }

  /** Goes through the new requests, and drops those that have turned out to have no effect. */
  #take(): void {
    const all = this.asked();
    if (all.length === this.#taken) return;
    this.#effective = [...this.#effective, ...all.slice(this.#taken)].filter((asked) =>
      FIELDS.some((field) => writtenValue(asked.request, field) !== undefined) &&
      effectOf(asked, 0) !== undefined
    );
    this.#taken = all.length;
  }
}

/** The value that the request gives to the field; undefined if none. */
function writtenValue(request: Asked["request"], field: Field): Value | undefined {
  if (typeof request === "string") return undefined;
  if (request.command === "trigger") {
    return field === "hold" ? afterOperatorTrigger(request.trigger) : undefined;
  }
  if (request.command !== "volume" || field === "hold") return undefined;
  if (field === "muted") return request.muted;
  // The daemon keeps thousandths of a dB, and no -0.
  return request.volume === undefined ? undefined : (Math.round(request.volume * 1000) + 0) / 1000;
}

function muteMsOf(request: Asked["request"]): number | undefined {
  return typeof request === "object" && request.command === "volume" ? request.muteMs : undefined;
}

/** The ends of mutes, which happen before the next mute or unmute, if at all. */
function endsOfMutes(writes: readonly Write[]): Write[] {
  return writes.flatMap(({ from, by, endsAfter }) => {
    if (endsAfter === undefined) return [];
    const next = writes.filter((other) => other.isSure && other.from > by);
    const gone = Math.min(...next.map(({ by }) => by));
    // The daemon's clock has whole ms.
    return [{ value: false, from: from + endsAfter - 1000, by: Infinity, isSure: false, gone }];
  });
}

/** Whether, and by when, a request has had its effect; undefined if it has none. */
function effectOf({ outcome, endedAt }: Asked, grace: number): { by: number; isSure: boolean } | undefined {
  switch (outcome?.kind) {
    case undefined:
      return { by: Infinity, isSure: false };
    case "done":
      return { by: endedAt, isSure: true };
    case "refused":
      if (outcome.exitCode !== Exit.timedOut || !HOLDS_ALREADY.test(outcome.error)) return undefined;
      return { by: endedAt, isSure: true };
    case "cancelled":
    case "broken":
      return { by: endedAt + grace, isSure: false };
    case "unsent":
      return undefined;
  }
}
