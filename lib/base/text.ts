// SPDX-License-Identifier: MIT
/** Texts for people and for programs, safe to print: a guest or a file may have written them. */

import { hexUnit, UNSAFE } from "../../ffi/base/printable.ts";

export { printable } from "../../ffi/base/printable.ts";

/** The same for JSON, whose escapes are of UTF-16 units: `\udb40\udc41`. Line breaks, which strings cannot hold, are left. */
export function printableJson(json: string): string {
  return json.replace(
    UNSAFE,
    (character) =>
      character === "\n"
        ? character
        : Array.from({ length: character.length }, (_, unit) => hexUnit(character.charCodeAt(unit))).join(""),
  );
}

/** The same for YAML's strings in double quotes. Whether a text needs that: {@link isPrintable}. */
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

/** The same for a syntax without escapes: each such character is U+FFFD. */
export function visible(text: string): string {
  return text.replace(UNSAFE, (character) => character === "\n" ? character : "\ufffd");
}

/** Whether {@link printable} leaves the text as it is. */
export function isPrintable(text: string): boolean {
  return text.search(UNSAFE) < 0;
}

/** The text, or its beginning and its end with an ellipsis between, at most `most` characters in all. */
export function brief(text: string, most: number): string {
  if (text.length <= most) return text;
  const half = (most - 1) >> 1;
  return `${text.slice(0, half)}…${text.slice(-half)}`;
}

/** `1 stream`, `2 streams`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
