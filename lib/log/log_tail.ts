// SPDX-License-Identifier: MIT
/** Keeps the last lines of the log, for whoever asks for them later. The oldest lines go first. */
import type { LogRecord } from "@logtape/logtape";
import { brief } from "../base/text.ts";
import { aboutOf, messageOf } from "./format.ts";

/** A line of the log. */
export interface LogLine {
  /** ISO 8601, UTC. */
  readonly time: string;
  /** `debug`, `info`, `warning`, `error` or `fatal`. */
  readonly level: string;
  /** The stream `domU/0/0/0`, the card `domU/0`, the guest `domU`, or else the part of the daemon. May be empty. */
  readonly subject: string;
  /** What has happened. A guest may have caused any character in it. */
  readonly message: string;
}

/** The most lines, the most characters in all of them, and in one. */
const [MOST_LINES, MOST_CHARACTERS, LONGEST] = [1000, 1 << 18, 1 << 10];

export class LogTail {
  readonly #lines: LogLine[] = [];
  #characters = 0;
  #count = 0;

  push(record: LogRecord): void {
    const line: LogLine = {
      time: new Date(record.timestamp).toISOString(),
      level: record.level,
      subject: aboutOf(record),
      message: brief(messageOf(record).trimEnd(), LONGEST),
    };
    this.#lines.push(line);
    this.#count++;
    this.#characters += sizeOf(line);
    while (this.#lines.length > MOST_LINES || this.#characters > MOST_CHARACTERS && this.#lines.length > 1) {
      this.#characters -= sizeOf(this.#lines.shift()!);
    }
  }

  /** How many lines there have been. */
  get count(): number {
    return this.#count;
  }

  /** The lines that are kept of those after the first `count`. */
  after(count: number): readonly LogLine[] {
    return this.#lines.slice(Math.max(0, this.#lines.length - (this.#count - count)));
  }
}

function sizeOf({ subject, message }: LogLine): number {
  return subject.length + message.length;
}
