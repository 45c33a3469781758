// SPDX-License-Identifier: MIT
/** A trace's summary in a line, for `trace record` and `trace show`. */
import type { Summary } from "../../lib/trace/summary.ts";
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
