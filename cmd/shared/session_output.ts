// SPDX-License-Identifier: MIT
/** What the commands that run the software frontend show people: progress, warnings and the result. */
import type { SessionListener, SessionReport } from "../../lib/guest/session.ts";
import { warn } from "./output.ts";

/** Shows warnings on stderr, and progress if stderr is a terminal. */
export const showSession: SessionListener = {
  progress({ frames, totalFrames, rate }) {
    if (!Deno.stderr.isTerminal()) return;
    const seconds = (n: number) => (n / rate).toFixed(1);
    const total = totalFrames === undefined ? "" : ` of ${seconds(totalFrames)}`;
    Deno.stderr.writeSync(new TextEncoder().encode(`\r${seconds(frames)}${total} s `));
  },
  warning(warning) {
    clearProgress();
    warn(warning);
  },
};

/** Removes the progress line from a terminal. */
export function clearProgress(): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode("\r\x1b[K"));
}

/** A session's result in a line. */
export function describeReport(report: SessionReport): string {
  const { frames, rate, format, channels, periods, xruns, seconds, writeRttMicros: rtt } = report;
  return `${frames} frames (${rate} Hz, ${format}, ${channels} channels) in ${seconds.toFixed(3)} s; ` +
    `${periods} periods, ${xruns} xruns; round trip p50 ${rtt.p50} µs, p99 ${rtt.p99} µs`;
}
