// SPDX-License-Identifier: MIT
/** Finds the xruns of a trace: when, by whom, and in words. */
import {
  RequestView,
  XENSND_OP_CLOSE,
  XENSND_OP_READ,
  XENSND_OP_TRIGGER,
  XENSND_OP_TRIGGER_STOP,
  XENSND_OP_WRITE,
} from "../sndif/mod.ts";
import { viewPacket } from "./packets.ts";
import { decodeXrun, isPacket, RecordKind, type TraceRecord } from "./trace_format.ts";

/** An xrun. Times are seconds since the trace began. */
export interface Gap {
  readonly from: number;
  /** The end of the xrun, or of the trace. */
  readonly to: number;
  /** Sound that the xrun has cost within the trace. */
  readonly seconds: number;
  readonly cause: "guest" | "host";
  /** What was missing; undefined: the trace does not show that. */
  readonly absence: string | undefined;
}

/** What a guest does with its sound: WRITE, READ, STOP or CLOSE. */
interface Deed {
  readonly time: number;
  readonly name: string;
}

/** Deeds of a guest that are remembered: more than come between the beginning of an xrun and its record. */
const DEEDS = 16;
/** Looks at the card that are remembered: those of some seconds. */
const LOOKS = 512;
/** An xrun may come so long after the stall of the host that has caused it, s. */
const STALL_SECONDS = 2;

/** Finds the xruns in records that are added in their order. */
export class GapFinder {
  readonly #gaps: Gap[] = [];
  /** The xrun that has begun and has not ended, with the guest's deeds up to its record and the first one after. */
  #open: { from: number; cause: Gap["cause"]; deeds: readonly Deed[]; next?: Deed } | undefined;
  #last = 0;
  /** The guest's last deeds. */
  #deeds: readonly Deed[] = [];
  /** When the host has looked at the card. */
  #looks: number[] = [];

  add(record: TraceRecord): void {
    const time = record.time / 1e6;
    this.#last = Math.max(this.#last, time);
    this.#addDeed(record, time);
    this.#addXrun(record, time);
    if (record.kind !== RecordKind.position) return;
    this.#looks.push(time);
    if (this.#looks.length > 2 * LOOKS) this.#looks = this.#looks.slice(-LOOKS);
  }

  #addDeed(record: TraceRecord, time: number): void {
    const name = deedOf(record);
    if (name === undefined) return;
    this.#deeds = [...this.#deeds.slice(1 - DEEDS), { time, name }];
    if (this.#open !== undefined) this.#open.next ??= { time, name };
  }

  #addXrun(record: TraceRecord, time: number): void {
    const xrun = decodeXrun(record);
    if (xrun === undefined) return;
    const { cause, seconds, isOver } = xrun;
    const from = Math.max(0, time - seconds);
    if (!isOver) {
      this.#close();
      this.#open = { from, cause, deeds: this.#deeds };
      return;
    }
    // A trace that begins within an xrun has only its end.
    const { deeds, next } = this.#open ?? { deeds: this.#deeds };
    this.#open = undefined;
    this.#push({ from, to: time, seconds: Math.min(seconds, time - from), cause }, deeds, next);
  }

  /** An xrun without an end goes on to the end of the trace. */
  #close(): void {
    if (this.#open === undefined) return;
    const { from, cause, deeds, next } = this.#open;
    this.#open = undefined;
    this.#push({ from, to: this.#last, seconds: this.#last - from, cause }, deeds, next);
  }

  #push(gap: Omit<Gap, "absence">, deeds: readonly Deed[], next: Deed | undefined): void {
    const absence = gap.cause === "guest" ? absenceOf(gap.from, deeds, next) : this.#longestStall(gap);
    this.#gaps.push({ ...gap, absence });
  }

  /** The longest time without a look, if that explains the xrun. */
  #longestStall({ from, to, seconds }: Omit<Gap, "absence">): string | undefined {
    const looks = [...this.#looks.filter((time) => time < to), to];
    let [before, after] = [0, 0];
    for (let i = 1; i < looks.length; i++) {
      const [earlier, later] = [looks[i - 1]!, looks[i]!];
      if (later >= from - STALL_SECONDS && later - earlier > after - before) {
        [before, after] = [earlier, later];
      }
    }
    return after - before < seconds / 2 || after === 0
      ? undefined
      : between("no look at the card", before, after);
  }

  /** All xruns, oldest first. */
  gaps(): readonly Gap[] {
    this.#close();
    return this.#gaps;
  }
}

/** What the guest did not do at the time `from`. */
function absenceOf(from: number, deeds: readonly Deed[], next: Deed | undefined): string | undefined {
  const before = deeds.findLast(({ time }) => time <= from);
  const after = deeds.find(({ time }) => time > from) ?? next;
  const name = [before, after].find((deed) => deed?.name === "WRITE" || deed?.name === "READ")?.name;
  if (name === undefined) return undefined;
  if (before === undefined) return `no ${name} before ${after!.time.toFixed(3)} s`;
  if (after === undefined) return `no ${name} after ${before.time.toFixed(3)} s`;
  if (after.name === name) return between(`no ${name}`, before.time, after.time);
  return `no ${name} between ${before.time.toFixed(3)} s and its ${after.name} at ${after.time.toFixed(3)} s`;
}

function between(what: string, before: number, after: number): string {
  return `${what} between ${before.toFixed(3)} and ${after.toFixed(3)} s`;
}

function deedOf(record: TraceRecord): string | undefined {
  if (record.kind !== RecordKind.request || !isPacket(record)) return undefined;
  const request = viewPacket(new RequestView(), record);
  switch (request.operation) {
    case XENSND_OP_WRITE:
      return "WRITE";
    case XENSND_OP_READ:
      return "READ";
    case XENSND_OP_CLOSE:
      return "CLOSE";
    case XENSND_OP_TRIGGER:
      return request.triggerType === XENSND_OP_TRIGGER_STOP ? "STOP" : undefined;
  }
}

export function gapsOf(records: readonly TraceRecord[]): readonly Gap[] {
  const finder = new GapFinder();
  for (const record of records) finder.add(record);
  return finder.gaps();
}

/** `the guest was late by 140 ms: no WRITE between 12.012 and 12.300 s; the card played 140 ms of silence`. */
export function gapInWords({ seconds, cause, absence }: Gap, type: "playback" | "capture"): string {
  const ms = Math.round(seconds * 1000);
  const cost = type === "playback" ? `the card played ${ms} ms of silence` : `${ms} ms of sound are lost`;
  const who = cause === "guest" ? "the guest" : "this host";
  return `${who} was late by ${ms} ms${absence === undefined ? "" : `: ${absence}`}; ${cost}`;
}
