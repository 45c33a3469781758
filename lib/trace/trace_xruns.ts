// SPDX-License-Identifier: MIT
/** The xruns in a trace: when each was, whose doing, and in words. */
import { decodeXrun, type TraceRecord } from "./trace_format.ts";

/** Times in seconds since the trace began. */
export interface Gap {
  readonly from: number;
  /** Its end, or the trace's, if that comes first. */
  readonly to: number;
  /** How much sound it has cost, as far as the trace goes. */
  readonly seconds: number;
  readonly cause: "guest" | "host";
}

/** Finds the xruns in records that come one after the other. */
export class GapFinder {
  readonly #gaps: Gap[] = [];
  /** One that has been counted, and has not ended. */
  #open: Gap | undefined;
  #last = 0;

  add(record: TraceRecord): void {
    const time = record.time / 1e6;
    this.#last = Math.max(this.#last, time);
    const xrun = decodeXrun(record);
    if (xrun === undefined) return;
    const { cause, seconds, isOver } = xrun;
    const gap = { from: Math.max(0, time - seconds), to: time, seconds, cause };
    if (!isOver) {
      this.#close();
      this.#open = gap;
      return;
    }
    // In a trace that begins in the middle of one there is its end alone.
    this.#open = undefined;
    this.#gaps.push(gap);
  }

  /** One whose end is not there goes on to the end of the trace. */
  #close(): void {
    if (this.#open === undefined) return;
    const { from } = this.#open;
    this.#gaps.push({ ...this.#open, to: this.#last, seconds: this.#last - from });
    this.#open = undefined;
  }

  /** All that there are, oldest first. */
  gaps(): readonly Gap[] {
    this.#close();
    return this.#gaps;
  }
}

export function gapsOf(records: readonly TraceRecord[]): readonly Gap[] {
  const finder = new GapFinder();
  for (const record of records) finder.add(record);
  return finder.gaps();
}

/** `3.271 to 4.441 s: the guest wrote nothing; the card played 1170 ms of silence`. */
export function gapInWords({ from, to, seconds, cause }: Gap, type: "playback" | "capture"): string {
  const ms = Math.round(seconds * 1000);
  const did = type === "playback" ? "wrote" : "read";
  const why = cause === "guest" ? `the guest ${did} nothing` : "this host came too late";
  const cost = type === "playback" ? `the card played ${ms} ms of silence` : `${ms} ms of sound are lost`;
  return `${from.toFixed(3)} to ${to.toFixed(3)} s: ${why}; ${cost}`;
}
