// SPDX-License-Identifier: MIT
/**
 * Limits the number of log lines a minute, since a guest or a local user can cause as many lines as it likes. Each level has its own
 * limits, so that a flood of notes hides no error. A narrow limit applies to the lines about one stream or card, and to the lines
 * with the same message and no subject. A wide limit, ten times as high, applies to all lines about a guest, and to all lines of
 * a part of the daemon. Lines beyond a limit are counted; one line at the end of the minute has their number.
 */
import type { LogRecord } from "@logtape/logtape";
import { count } from "../base/text.ts";
import { domainOf, subjectOf } from "./format.ts";

/** The ratio of the wide limit to the narrow limit. */
export const WIDE = 10;

/** The log category of the lines about who records what. These lines have limits of their own. */
export const RECORDINGS = ["xsnd", "recording"];

/** The lines of one limit in the current minute. */
interface Minute {
  /** Ends the minute. */
  readonly timer: ReturnType<typeof setTimeout>;
  written: number;
  leftOut: number;
  /** The last omitted line, in the form in which the summary has it. */
  last: LogRecord | undefined;
}

export class RateLimit implements Disposable {
  readonly #minutes = new Map<string, Minute>();

  /**
   * @param lines the narrow limit, in lines a minute
   * @param minuteMs the length of a minute, which tests shorten
   */
  constructor(
    private readonly write: (record: LogRecord) => void,
    private readonly lines: number,
    private readonly minuteMs = 60_000,
  ) {}

  /** Writes `record`, or omits and counts it. */
  pass(record: LogRecord): void {
    const { level } = record;
    const part = record.category.join(".");
    // Other lines of a guest must not hide a recording.
    const kind = part === RECORDINGS.join(".") ? `${level} recording` : level;
    const subject = subjectOf(record);
    // The wide limit comes first, since it bounds the number of narrow limits.
    const wide = this.#minuteOf(
      subject === undefined ? `${level} part ${part}` : `${kind} guest ${domainOf(subject)}`,
    );
    if (wide.written >= WIDE * this.lines) return leaveOut(wide, widened(record, subject));
    const narrow = this.#minuteOf(
      subject === undefined ? `${level} message ${part} ${record.rawMessage}` : `${kind} subject ${subject}`,
    );
    if (narrow.written >= this.lines) return leaveOut(narrow, record);
    wide.written++;
    narrow.written++;
    this.write(record);
  }

  #minuteOf(key: string): Minute {
    const found = this.#minutes.get(key);
    if (found !== undefined) return found;
    const timer = setTimeout(() => this.#end(key), this.minuteMs);
    Deno.unrefTimer(timer); // the timer does not keep the process alive
    const minute: Minute = { timer, written: 0, leftOut: 0, last: undefined };
    this.#minutes.set(key, minute);
    return minute;
  }

  #end(key: string): void {
    const { timer, leftOut, last } = this.#minutes.get(key)!;
    clearTimeout(timer);
    this.#minutes.delete(key);
    if (last !== undefined) this.write(summary(last, leftOut));
  }

  /** Logs the number of omitted lines at once. */
  [Symbol.dispose](): void {
    for (const key of this.#minutes.keys()) this.#end(key);
  }
}

function leaveOut(minute: Minute, record: LogRecord): void {
  minute.leftOut++;
  minute.last = record;
}

/** `record` as a record about the whole guest of `subject`, with the subject in its text. */
function widened(record: LogRecord, subject: string | undefined): LogRecord {
  if (subject === undefined) return record;
  const { stream: _stream, card: _card, ...properties } = record.properties;
  return {
    ...record,
    message: [`${subject}: `, ...record.message],
    properties: { ...properties, domain: domainOf(subject) },
  };
}

/** The record that replaces `leftOut` omitted records; `last` is the last of them. */
function summary(last: LogRecord, leftOut: number): LogRecord {
  const are = leftOut === 1 ? "is" : "are";
  const text = `${count(leftOut, `more ${last.level} line`)} within a minute ${are} left out; the last: `;
  return { ...last, message: [text, ...last.message], properties: { ...last.properties, leftOut } };
}
