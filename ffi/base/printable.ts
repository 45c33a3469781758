// SPDX-License-Identifier: MIT
/** Text that is safe to print, whoever wrote it. */

/**
 * What drives a terminal, turns a line around, ends one, or cannot be seen: controls, marks of direction and of joining (`Cf`, so
 * also the U+200D between two emoji), separators of lines and paragraphs, private and unassigned characters, halves of surrogate
 * pairs, and what is ignored where it is drawn, such as the selectors of variants.
 */
export const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;

/** The text with such characters as escapes: `\u001b`, `\u{e0041}`. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : hexUnit(code);
  });
}

/** A UTF-16 unit as an escape: `\u001b`. */
export function hexUnit(code: number): string {
  return `\\u${code.toString(16).padStart(4, "0")}`;
}
