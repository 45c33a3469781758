// SPDX-License-Identifier: MIT
/** A trace in words, for `trace record`, `trace last` and `trace show`. */
import type { Summary } from "../../lib/trace/summary.ts";
import { findingLine, type Verdict } from "../../lib/trace/verdict.ts";
import { count } from "./output.ts";

export function describeSummary(summary: Summary): string {
  const { requests, refused, events, seconds, xruns, xrunSeconds, lost, roundTripMicros: rtt } = summary;
  const duration = xruns === 0 ? "" : ` of ${Math.round(xrunSeconds * 1000)} ms`;
  return `${count(requests, "request")}, ${refused} refused, ${count(events, "event")} in ${
    seconds.toFixed(3)
  } s; ` +
    `${count(xruns, "xrun")}${duration}; ` +
    `round trip p50 ${rtt.p50} µs, p99 ${rtt.p99} µs, max ${rtt.max} µs; ${count(lost, "record")} lost`;
}

/** The findings that a command prints one by one. */
const MOST_FINDINGS = 20;

/** Why the sound stuttered: a line for all, and one for each finding. */
export function verdictLines({ summary, findings }: Verdict): string[] {
  const lines = findings.slice(0, MOST_FINDINGS).map((finding) => `  ${findingLine(finding)}`);
  const more = findings.length - lines.length;
  return [`verdict: ${summary}`, ...lines, ...(more > 0 ? [`  and ${more} more`] : [])];
}
