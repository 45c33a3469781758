/** Logs: a line each on stderr, as systemd's journal, people and programs like them. */
import { configure, getLogger, type LogLevel, type LogRecord } from "@logtape/logtape";
import { reportFailuresBy } from "../failure.ts";
import { jsonLine, textLines } from "./format.ts";
import { isJournal, withPriority } from "./journal.ts";
import { RateLimit } from "./rate_limit.ts";

export const LOG_FORMATS = ["text", "json"] as const;
export type LogFormat = typeof LOG_FORMATS[number];

export interface LogOptions {
  readonly level?: LogLevel;
  readonly format?: LogFormat;
  /** Lines a minute about one stream, or card, of one level. */
  readonly linesAMinute?: number;
}

const encoder = new TextEncoder();

/**
 * Begins to log at `level` (info, unless told) and above. Until then nothing is logged. To be disposed of when the work is done,
 * so that what was left out is counted.
 */
export async function startLogging(
  { level = "info", format = "text", linesAMinute = 20 }: LogOptions = {},
): Promise<Disposable> {
  const STDERR = 2;
  const toJournal = isJournal(STDERR);
  const write = (record: LogRecord) => {
    const lines = format === "json" ? [jsonLine(record)] : textLines(record);
    const prefixed = toJournal ? lines.map((line) => withPriority(record.level, line)) : lines;
    writeAll(encoder.encode(prefixed.map((line) => `${line}\n`).join("")));
  };
  const limit = new RateLimit(write, linesAMinute);
  await configure({
    sinks: { stderr: (record) => limit.pass(record) },
    loggers: [
      { category: "xsnd", lowestLevel: level, sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stderr"] },
    ],
  });
  // What ends the command is a line of the log where programs read that, and not one that looks otherwise.
  if (toJournal || format === "json") {
    reportFailuresBy((message) => getLogger("xsnd").fatal("{message}", { message }));
  }
  return limit;
}

/** A log that nobody takes any more, as that of a terminal that was closed, is no reason to end. */
function writeAll(octets: Uint8Array): void {
  try {
    for (let done = 0; done < octets.length;) done += Deno.stderr.writeSync(octets.subarray(done));
  } catch { /* there is nowhere to say so */ }
}
