// SPDX-License-Identifier: MIT
/**
 * A guest, or another user of the host, can make the daemon log as often as it likes. So lines are limited, each level for itself:
 * a flood of notes hides no error. There are two limits, one within the other. The narrow one is for lines about one stream or
 * card, and for lines of one message that are about neither. The wide one, ten times that, is for all lines about one guest, and
 * for all of one part of the daemon. Lines beyond a limit are counted, and at the end of the minute one line says how many.
 */
import type { LogRecord } from "@logtape/logtape";
import { count } from "../base/text.ts";
import { domainOf, subjectOf } from "./format.ts";

/** How many times the narrow limit the wide one is. */
export const WIDE = 10;

/** The part of the daemon whose lines say who records what; its limits are its own. */
export const RECORDINGS = ["xsnd", "recording"];

/** What counts against one limit. */
interface Minute {
  /** Ends it. */
  readonly timer: ReturnType<typeof setTimeout>;
  written: number;
  leftOut: number;
  /** The last line that was left out, if any were, as it is to be summed up. */
  last: LogRecord | undefined;
}

export class RateLimit implements Disposable {
  readonly #minutes = new Map<string, Minute>();

  /**
   * @param lines a minute, of the narrow limit
   * @param minuteMs how long a minute is, which tests shorten
   */
  constructor(
    private readonly write: (record: LogRecord) => void,
    private readonly lines: number,
    private readonly minuteMs = 60_000,
  ) {}

  /** Writes `record`, now or never. */
  pass(record: LogRecord): void {
    const { level } = record;
    const part = record.category.join(".");
    // What else a guest makes the daemon say is to hide no recording.
    const kind = part === RECORDINGS.join(".") ? `${level} recording` : level;
    const subject = subjectOf(record);
    // The wide limit is asked first: it bounds how many narrow ones there can be.
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
    Deno.unrefTimer(timer); // it keeps nothing from ending
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

  /** Says now what was left out: the end is near. */
  [Symbol.dispose](): void {
    for (const key of this.#minutes.keys()) this.#end(key);
  }
}

function leaveOut(minute: Minute, record: LogRecord): void {
  minute.leftOut++;
  minute.last = record;
}

/** `record` as one about the whole guest of `subject`, which its text names. */
function widened(record: LogRecord, subject: string | undefined): LogRecord {
  if (subject === undefined) return record;
  const { stream: _stream, card: _card, ...properties } = record.properties;
  return {
    ...record,
    message: [`${subject}: `, ...record.message],
    properties: { ...properties, domain: domainOf(subject) },
  };
}

/** What is said in the place of `leftOut` lines, of which `last` was the last. */
function summary(last: LogRecord, leftOut: number): LogRecord {
  const are = leftOut === 1 ? "is" : "are";
  const text = `${count(leftOut, `more ${last.level} line`)} within a minute ${are} left out; the last: `;
  return { ...last, message: [text, ...last.message], properties: { ...last.properties, leftOut } };
}
