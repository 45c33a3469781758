// SPDX-License-Identifier: MIT
/** Says in words why the sound of a trace stuttered, or that it did not. */
import { HOLDS, STREAM_STATES } from "../stream/stream_state.ts";
import { decodePosition, type PositionSample, type TraceHead, type TraceRecord } from "./trace_format.ts";
import { type Gap, GapFinder, gapInWords } from "./trace_xruns.ts";

/** Something that was heard. Times are seconds since the trace began. */
export interface Finding {
  /** Where it began. */
  readonly from: number;
  /** Where it ended, or the trace did. */
  readonly to: number;
  /** Who, or what, the sound was without for a while. */
  readonly cause: "guest" | "host" | "card" | "operator";
  /** What was heard instead, in seconds. */
  readonly seconds: number;
  /** A sentence without its time. */
  readonly text: string;
}

/** The findings that a verdict has one by one. A guest can cause as many xruns as it likes. */
const MOST = 1000;

/** What was heard of a stream besides its sound. */
export interface Verdict {
  /** One sentence for people. */
  readonly summary: string;
  /** Oldest first, 1000 at most. */
  readonly findings: readonly Finding[];
}

/** A stretch of samples in which something is so. */
class Stretches {
  readonly found: Finding[] = [];
  #from: number | undefined;
  #what = "";

  constructor(private readonly cause: Finding["cause"]) {}

  /** @param what what is so at `time`, in words; undefined: nothing is */
  add(time: number, what: string | undefined): void {
    if (this.#from !== undefined && what !== this.#what) this.end(time);
    if (what === undefined || this.#from !== undefined) return;
    this.#from = time;
    this.#what = what;
  }

  end(to: number): void {
    const from = this.#from;
    this.#from = undefined;
    if (from === undefined) return;
    this.found.push({ from, to, cause: this.cause, seconds: to - from, text: this.#what });
  }
}

/** Judges records that are added in their order. */
export class Judge {
  readonly #gaps = new GapFinder();
  readonly #losses = new Stretches("card");
  readonly #holds = new Stretches("operator");
  #last = 0;

  constructor(private readonly type: TraceHead["type"]) {}

  add(record: TraceRecord): void {
    this.#gaps.add(record);
    const time = record.time / 1e6;
    this.#last = Math.max(this.#last, time);
    const sample = decodePosition(record);
    if (sample === undefined) return;
    this.#losses.add(time, lossInWords(sample));
    this.#holds.add(time, holdInWords(sample));
  }

  verdict(): Verdict {
    this.#losses.end(this.#last);
    this.#holds.end(this.#last);
    const xruns = this.#gaps.gaps().map((gap) => this.#findingOf(gap));
    const all = [...xruns, ...this.#losses.found, ...this.#holds.found];
    return { summary: summaryOf(all), findings: all.sort((a, b) => a.from - b.from).slice(0, MOST) };
  }

  #findingOf(gap: Gap): Finding {
    const { from, to, seconds, cause } = gap;
    return { from, to, seconds, cause, text: gapInWords(gap, this.type) };
  }
}

function isRunning({ state }: PositionSample): boolean {
  return STREAM_STATES[state] === "running";
}

/** Nobody hears what happens to a stream that its guest has not started. */
function lossInWords(sample: PositionSample): string | undefined {
  if (!sample.cardLost || !isRunning(sample)) return undefined;
  return "the card was lost, busy, or did not move: the guest had silence";
}

function holdInWords(sample: PositionSample): string | undefined {
  const name = HOLDS[sample.hold];
  if (sample.hold === 0 || name === undefined || !isRunning(sample)) return undefined;
  return `an operator had the stream ${name}`;
}

/** What is said of each cause, in the order of the sentence. */
const CAUSES: readonly (readonly [Finding["cause"], string])[] = [
  ["guest", "the guest was late"],
  ["host", "this host was late"],
  ["card", "the card was away"],
  ["operator", "an operator held the stream"],
];

/** `the guest was late 3 times, 420 ms in all; the card was away once, 1900 ms` */
function summaryOf(findings: readonly Finding[]): string {
  const parts = CAUSES.flatMap(([cause, text]) => {
    const times = findings.filter((finding) => finding.cause === cause).map(({ seconds }) => seconds);
    if (times.length === 0) return [];
    const ms = Math.round(times.reduce((sum, time) => sum + time, 0) * 1000);
    return [times.length === 1 ? `${text} once, ${ms} ms` : `${text} ${times.length} times, ${ms} ms in all`];
  });
  return parts.join("; ") || "no xrun, no lost card and no operator's hold";
}

/**
 * Judges a trace.
 *
 * @example
 * ```ts
 * import { judge } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * assert.equal(judge("playback", []).summary, "no xrun, no lost card and no operator's hold");
 * ```
 */
export function judge(type: TraceHead["type"], records: readonly TraceRecord[]): Verdict {
  const judge = new Judge(type);
  for (const record of records) judge.add(record);
  return judge.verdict();
}

/** `12.160 to 12.300 s: the guest was late by 140 ms: …` */
export function findingLine({ from, to, text }: Finding): string {
  return `${from.toFixed(3)} to ${to.toFixed(3)} s: ${text}`;
}
