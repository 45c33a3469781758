// SPDX-License-Identifier: MIT
/** Finds the xruns of a trace: when, by whom, and in words. */
import {
  RequestView,
  XENSND_OP_CLOSE,
  XENSND_OP_READ,
  XENSND_OP_TRIGGER,
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
  /** When whoever came too late had come last: the guest with a request, the host with a look at the card. */
  readonly before: number | undefined;
  /** When they came next. */
  readonly after: number | undefined;
}

/** More than come between the beginning of an xrun and the record of that. */
const REMEMBERED = 16;

/** Finds the xruns in records that are added in their order. */
export class GapFinder {
  readonly #gaps: Gap[] = [];
  /** The xrun that has begun and has not ended. */
  #open: Gap | undefined;
  #last = 0;
  /** When each of them came last, latest first. */
  readonly #came: Record<Gap["cause"], number[]> = { guest: [], host: [] };

  add(record: TraceRecord): void {
    const time = record.time / 1e6;
    this.#last = Math.max(this.#last, time);
    if (goesOn(record)) this.#comes("guest", time);
    this.#addXrun(record, time);
    if (record.kind === RecordKind.position) this.#comes("host", time);
  }

  #comes(who: Gap["cause"], time: number): void {
    const came = this.#came[who];
    came.unshift(time);
    came.length = Math.min(came.length, REMEMBERED);
  }

  #addXrun(record: TraceRecord, time: number): void {
    const xrun = decodeXrun(record);
    if (xrun === undefined) return;
    const { cause, seconds, isOver } = xrun;
    const from = Math.max(0, time - seconds);
    const came = this.#came[cause];
    // A host that comes late notices the xrun as it comes.
    const after = came.findLast((at) => at > from) ?? (cause === "host" ? time : undefined);
    const gap = { from, to: time, seconds, cause, before: came.find((at) => at <= from), after };
    if (!isOver) {
      this.#close();
      this.#open = gap;
      return;
    }
    // A trace that begins within an xrun has only its end.
    const { before = gap.before, after: noticed = after } = this.#open ?? {};
    this.#open = undefined;
    this.#gaps.push({ ...gap, before, after: noticed });
  }

  /** An xrun without an end goes on to the end of the trace. */
  #close(): void {
    if (this.#open === undefined) return;
    const { from } = this.#open;
    this.#gaps.push({ ...this.#open, to: this.#last, seconds: this.#last - from });
    this.#open = undefined;
  }

  /** All xruns, oldest first. */
  gaps(): readonly Gap[] {
    this.#close();
    return this.#gaps;
  }
}

/** The requests by which a guest that was late goes on, or gives up. */
const GOES_ON: readonly number[] = [XENSND_OP_WRITE, XENSND_OP_READ, XENSND_OP_TRIGGER, XENSND_OP_CLOSE];

function goesOn(record: TraceRecord): boolean {
  if (record.kind !== RecordKind.request || !isPacket(record)) return false;
  return GOES_ON.includes(viewPacket(new RequestView(), record).operation);
}

export function gapsOf(records: readonly TraceRecord[]): readonly Gap[] {
  const finder = new GapFinder();
  for (const record of records) finder.add(record);
  return finder.gaps();
}

/**
 * `the guest was late by 140 ms: no WRITE between 12.012 and 12.300 s; the card played 140 ms of silence`.
 */
export function gapInWords({ seconds, cause, before, after }: Gap, type: "playback" | "capture"): string {
  const ms = Math.round(seconds * 1000);
  const cost = type === "playback" ? `the card played ${ms} ms of silence` : `${ms} ms of sound are lost`;
  const what = cause === "host" ? "no look at the card" : type === "playback" ? "no WRITE" : "no READ";
  const absence = before === undefined && after === undefined ? "" : `: ${what}${between(before, after)}`;
  return `${cause === "guest" ? "the guest" : "this host"} was late by ${ms} ms${absence}; ${cost}`;
}

function between(before: number | undefined, after: number | undefined): string {
  if (before === undefined) return ` before ${after!.toFixed(3)} s`;
  if (after === undefined) return ` after ${before.toFixed(3)} s`;
  return ` between ${before.toFixed(3)} and ${after.toFixed(3)} s`;
}
