// SPDX-License-Identifier: MIT
/** Logs: a line each on stderr, as systemd's journal, people and programs like them. */
import { configure, getLogger, type LogLevel, type LogRecord } from "@logtape/logtape";
import { NonblockingOutput } from "../../ffi/libc/nonblocking_output.ts";
import { Exit } from "../base/error.ts";
import { failureLine, reportFailure, reportFailuresBy } from "../base/failure.ts";
import { count } from "../base/text.ts";
import { jsonLine, textLines } from "./format.ts";
import { isJournal, withPriority } from "./journal.ts";
import { LineQueue } from "./line_queue.ts";
import { RateLimit } from "./rate_limit.ts";

export const LOG_FORMATS = ["text", "json"] as const;
export type LogFormat = typeof LOG_FORMATS[number];

export interface LogOptions {
  readonly level?: LogLevel;
  readonly format?: LogFormat;
  /** Lines a minute about one stream, or card, of one level; see lib/log/rate_limit.ts for the limits that follow from it. */
  readonly linesAMinute?: number;
}

const STDERR = 2;
const encoder = new TextEncoder();

/**
 * Begins to log at `level` (info, unless told) and above. Until then nothing is logged. To be disposed of when the work is done,
 * so that what was left out is counted, and what is queued is written.
 */
export async function startLogging(
  { level = "info", format = "text", linesAMinute = 20 }: LogOptions = {},
): Promise<Disposable> {
  const toJournal = isJournal(STDERR);
  const octetsOf = (record: LogRecord) => {
    const lines = format === "json" ? [jsonLine(record)] : textLines(record);
    const prefixed = toJournal ? lines.map((line) => withPriority(record.level, line)) : lines;
    return encoder.encode(prefixed.map((line) => `${line}\n`).join(""));
  };
  const queue = new LineQueue(new NonblockingOutput(STDERR), (lost) => octetsOf(recordOfLost(lost)));
  const limit = new RateLimit((record) => queue.push(octetsOf(record)), linesAMinute);
  await configure({
    sinks: { stderr: (record) => limit.pass(record) },
    loggers: [
      { category: "xsnd", lowestLevel: level, sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stderr"] },
    ],
  });
  // What ends the command is a line of the log where programs read that, and not one that looks otherwise.
  const isForPrograms = toJournal || format === "json";
  reportFailuresBy((message) => {
    if (isForPrograms) getLogger("xsnd").fatal("{message}", { message });
    else queue.push(encoder.encode(`${failureLine(message)}\n`));
  });
  reportDefects(queue);
  return {
    [Symbol.dispose]() {
      limit[Symbol.dispose]();
      queue[Symbol.dispose]();
    },
  };
}

function recordOfLost(lost: number): LogRecord {
  const text = `${
    count(lost, "line")
  } of the log lost: stderr took none; see whether its reader hangs or its disk is full`;
  return {
    category: ["xsnd", "log"],
    level: "warning",
    timestamp: Date.now(),
    message: [text],
    rawMessage: text,
    properties: { lost },
  };
}

/** A defect ends the process with a line like any other. Deno's own message would wait for whoever reads stderr. */
function reportDefects(queue: LineQueue): void {
  const end = (event: Event, error: unknown) => {
    event.preventDefault();
    reportFailure(error instanceof Error ? error.stack ?? error.message : String(error));
    queue[Symbol.dispose]();
    Deno.exit(Exit.failed);
  };
  addEventListener("unhandledrejection", (event) => end(event, event.reason));
  addEventListener("error", (event) => end(event, event.error));
}
