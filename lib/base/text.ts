// SPDX-License-Identifier: MIT
/** Escapes unprintable characters in texts of guests and files, for a terminal, JSON, YAML and xl. */

import { hexUnit, printable, UNSAFE } from "../../ffi/base/printable.ts";

export { printable } from "../../ffi/base/printable.ts";

/** Escapes unprintable characters in a JSON document, as UTF-16 units: `\udb40\udc41`. Line breaks stay, since JSON strings contain none. */
export function printableJson(json: string): string {
  return json.replace(
    UNSAFE,
    (character) =>
      character === "\n"
        ? character
        : Array.from({ length: character.length }, (_, unit) => hexUnit(character.charCodeAt(unit))).join(""),
  );
}

/** Escapes unprintable characters in a double-quoted YAML string. {@link isPrintable} tells whether a text needs this. */
export function printableYaml(yaml: string): string {
  return yaml.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!;
    return character === "\n"
      ? character
      : code > 0xffff
      ? `\\U${code.toString(16).padStart(8, "0")}`
      : hexUnit(code);
  });
}

/** Replaces unprintable characters by U+FFFD, for a syntax without escapes. */
export function visible(text: string): string {
  return text.replace(UNSAFE, (character) => character === "\n" ? character : "\ufffd");
}

/** Whether the text has no character that {@link printable} escapes. */
export function isPrintable(text: string): boolean {
  return text.search(UNSAFE) < 0;
}

/** The text if it has at most `most` characters, otherwise its beginning and end around an ellipsis. */
export function brief(text: string, most: number): string {
  if (text.length <= most) return text;
  const half = (most - 1) >> 1;
  return `${text.slice(0, half)}…${text.slice(-half)}`;
}

/** `1 stream`, `2 streams`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** The widest line of text for people, off a terminal. */
export const COLUMNS = 80;

/** Lines of at most `columns` characters, broken at spaces, each behind `indent`. */
export function wrapped(text: string, indent: string, columns = COLUMNS): string[] {
  const lines = [indent];
  for (const word of printable(text).split(" ")) {
    const line = lines.at(-1)!;
    if (line === indent) lines[lines.length - 1] += word;
    else if ([...line].length + 1 + [...word].length > columns) lines.push(indent + word);
    else lines[lines.length - 1] += ` ${word}`;
  }
  return lines;
}
