/**
 * A guest can make the daemon say something as often as it likes. What is said of a stream, or a card, is therefore limited: so
 * many lines a minute of each level, and then one that tells how many were left out. A flood of notes hides no error.
 */
import type { LogRecord } from "@logtape/logtape";
import { count } from "../text.ts";
import { subjectOf } from "./format.ts";

/** Of one subject and level. */
interface Minute {
  /** Ends it. */
  readonly timer: ReturnType<typeof setTimeout>;
  lines: number;
  /** The last line that was left out, if any were. */
  leftOut: LogRecord | undefined;
}

export class RateLimit implements Disposable {
  readonly #minutes = new Map<string, Minute>();

  /**
   * @param lines a minute
   * @param minuteMs how long a minute is, which tests shorten
   */
  constructor(
    private readonly write: (record: LogRecord) => void,
    private readonly lines: number,
    private readonly minuteMs = 60_000,
  ) {}

  /** Writes `record`, now or never. */
  pass(record: LogRecord): void {
    const subject = subjectOf(record);
    if (subject === undefined) return this.write(record);
    const minute = this.#minuteOf(`${record.level} ${subject}`);
    minute.lines++;
    if (minute.lines <= this.lines) return this.write(record);
    minute.leftOut = record;
  }

  #minuteOf(key: string): Minute {
    const found = this.#minutes.get(key);
    if (found !== undefined) return found;
    const timer = setTimeout(() => this.#end(key), this.minuteMs);
    Deno.unrefTimer(timer); // it keeps nothing from ending
    const minute: Minute = { timer, lines: 0, leftOut: undefined };
    this.#minutes.set(key, minute);
    return minute;
  }

  #end(key: string): void {
    const { timer, lines, leftOut } = this.#minutes.get(key)!;
    clearTimeout(timer);
    this.#minutes.delete(key);
    if (leftOut !== undefined) this.write(summary(leftOut, lines - this.lines));
  }

  /** Says now what was left out: the end is near. */
  [Symbol.dispose](): void {
    for (const key of this.#minutes.keys()) this.#end(key);
  }
}

/** What is said in the place of `leftOut` lines, of which `last` was the last. */
function summary(last: LogRecord, leftOut: number): LogRecord {
  const are = leftOut === 1 ? "is" : "are";
  const text = `${count(leftOut, `more ${last.level} line`)} within a minute ${are} left out; the last: `;
  return { ...last, message: [text, ...last.message], properties: { ...last.properties, leftOut } };
}
