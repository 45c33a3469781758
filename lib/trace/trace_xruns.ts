// SPDX-License-Identifier: MIT
/** Finds the xruns of a trace: when, by whom, and in words. */
import { decodeXrun, type TraceRecord } from "./trace_format.ts";

/** An xrun. Times are seconds since the trace began. */
export interface Gap {
  readonly from: number;
  /** The end of the xrun, or of the trace. */
  readonly to: number;
  /** Sound that the xrun has cost within the trace. */
  readonly seconds: number;
  readonly cause: "guest" | "host";
}

/** Finds the xruns in records that are added in their order. */
export class GapFinder {
  readonly #gaps: Gap[] = [];
  /** The xrun that has begun and has not ended. */
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
    // A trace that begins within an xrun has only its end.
    this.#open = undefined;
    this.#gaps.push(gap);
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
