// SPDX-License-Identifier: MIT
/** Formats a log record as text lines, or as a JSON object. */
import type { LogRecord } from "@logtape/logtape";
import { printable, printableJson } from "../base/text.ts";

/** `xsnd: warning: domU/0/0/0: what happened`, in the lines of {@link layOut}. */
export function textLines(record: LogRecord): string[] {
  return layOut(`xsnd: ${record.level}`, aboutOf(record), messageOf(record));
}

/** `START: ABOUT: MESSAGE`. Further lines are indented, so that a guest's text cannot imitate a record. */
export function layOut(start: string, about: string, message: string): string[] {
  const [first, ...rest] = message.trimEnd().split("\n").map(printable);
  return [`${start}: ${about && `${printable(about)}: `}${first}`, ...rest.map((line) => `  ${line}`)];
}

/** The stream, the card or the guest that the record is about, or else the part of the program that logs; may be empty. */
export function aboutOf(record: LogRecord): string {
  return subjectOf(record) ?? record.category.slice(1).join(" ");
}

/**
 * One JSON object with `time` (ISO 8601, UTC), `level`, `category`, `message`, the subject (`domain`, with `card` or `stream`), and
 * the values in the message.
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
  // The fields stand first, and once more last, so that no property overwrites a field.
  return printableJson(JSON.stringify({ ...fields, ...properties, ...fields }));
}

/** The subject of the record: the stream `domU/0/0/0`, the card `domU/0` or the guest `domU`. */
export function subjectOf({ properties }: LogRecord): string | undefined {
  return [properties.stream, properties.card, properties.domain].find((name) => typeof name === "string");
}

/** The guest's name or number in a subject of {@link subjectOf}. */
export function domainOf(subject: string): string {
  return subject.replace(/\/.*$/s, "");
}

/** The text of the record, with its values. */
export function messageOf({ message }: LogRecord): string {
  return message.map(String).join("");
}
