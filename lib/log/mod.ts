// SPDX-License-Identifier: MIT
/** Sets up the log: records go to stderr as text or JSON, rate-limited and without blocking. */
import { configure, getLogger, type LogLevel, type LogRecord } from "@logtape/logtape";
import { NonblockingOutput } from "../../ffi/libc/nonblocking_output.ts";
import { Exit } from "../base/error.ts";
import { failureLine, reportFailure, reportFailuresBy } from "../base/failure.ts";
import { count } from "../base/text.ts";
import { jsonLine, textLines } from "./format.ts";
import { isJournal, withPriority } from "./journal.ts";
import { LineQueue } from "./line_queue.ts";
import { LogTail } from "./log_tail.ts";
import { RateLimit } from "./rate_limit.ts";

export const LOG_FORMATS = ["text", "json"] as const;
export type LogFormat = typeof LOG_FORMATS[number];

export interface LogOptions {
  readonly level?: LogLevel;
  readonly format?: LogFormat;
  /** The most lines a minute about one stream or card, for each level. lib/log/rate_limit.ts derives its limits from this number. */
  readonly linesAMinute?: number;
}

const STDERR = 2;
const encoder = new TextEncoder();

/** A log that has been started. Disposing of it logs the number of omitted lines and writes the queue. */
export interface Log extends Disposable {
  /** The last lines. */
  readonly tail: LogTail;
}

/** Starts to log records of `level` and above. Nothing is logged before. */
export async function startLogging(
  { level = "info", format = "text", linesAMinute = 20 }: LogOptions = {},
): Promise<Log> {
  const toJournal = isJournal(STDERR);
  const octetsOf = (record: LogRecord) => {
    const lines = format === "json" ? [jsonLine(record)] : textLines(record);
    const prefixed = toJournal ? lines.map((line) => withPriority(record.level, line)) : lines;
    return encoder.encode(prefixed.map((line) => `${line}\n`).join(""));
  };
  const queue = new LineQueue(new NonblockingOutput(STDERR), (lost) => octetsOf(recordOfLost(lost)));
  const tail = new LogTail();
  const limit = new RateLimit((record) => {
    tail.push(record);
    queue.push(octetsOf(record));
  }, linesAMinute);
  await configure({
    sinks: { stderr: (record) => limit.pass(record) },
    loggers: [
      { category: "xsnd", lowestLevel: level, sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stderr"] },
    ],
  });
  // For the journal and for JSON, the message that ends the command is a log record like any other.
  const isForPrograms = toJournal || format === "json";
  reportFailuresBy((message) => {
    if (isForPrograms) getLogger("xsnd").fatal("{message}", { message });
    else queue.push(encoder.encode(`${failureLine(message)}\n`));
  });
  reportDefects(queue);
  return {
    tail,
    [Symbol.dispose]() {
      limit[Symbol.dispose]();
      queue[Symbol.dispose]();
    },
  };
}

function recordOfLost(lost: number): LogRecord {
  const text = `${
    count(lost, "line")
  } of the log lost: stderr was full; check whether its reader hangs, or its disk is full`;
  return {
    category: ["xsnd", "log"],
    level: "warning",
    timestamp: Date.now(),
    message: [text],
    rawMessage: text,
    properties: { lost },
  };
}

/** Logs a defect and ends the process. Deno's own message would block if nobody reads stderr. */
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
