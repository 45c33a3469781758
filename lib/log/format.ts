// SPDX-License-Identifier: MIT
/** The two shapes of a line of the log. */
import type { LogRecord } from "@logtape/logtape";
import { printable, printableJson } from "../base/text.ts";

/**
 * `xsnd: warning: domU/0/0/0: what happened`: the stream, the card, the guest, or else the part of the program that speaks. Lines after
 * the first are indented, so that no text which a guest wrote can pass for a line of its own.
 */
export function textLines(record: LogRecord): string[] {
  const { level, category } = record;
  const about = subjectOf(record) ?? category.slice(1).join(" ");
  const [first, ...rest] = messageOf(record).trimEnd().split("\n").map(printable);
  return [`xsnd: ${level}: ${about && `${printable(about)}: `}${first}`, ...rest.map((line) => `  ${line}`)];
}

/**
 * One object: `time` (ISO 8601, UTC), `level`, `category`, `message`; what it is about, as `domain`, with `card` or `stream`; and
 * what the message was made of.
 */
export function jsonLine(record: LogRecord): string {
  const { timestamp, level, category, properties } = record;
  const subject = subjectOf(record);
  const fields = {
    time: new Date(timestamp).toISOString(),
    level,
    category: category.join("."),
    message: messageOf(record),
    ...(subject === undefined ? {} : { domain: domainOf(subject) }),
  };
  // Twice: no property takes the place of a field, and the fields come first.
  return printableJson(JSON.stringify({ ...fields, ...properties, ...fields }));
}

/** What the record is about: the stream, `domU/0/0/0`; the card, `domU/0`; or the guest, `domU`. */
export function subjectOf({ properties }: LogRecord): string | undefined {
  return [properties.stream, properties.card, properties.domain].find((name) => typeof name === "string");
}

/** The guest's name, or its number, of what {@link subjectOf} gives. */
export function domainOf(subject: string): string {
  return subject.split("/", 1)[0];
}

function messageOf({ message }: LogRecord): string {
  return message.map(String).join("");
}
