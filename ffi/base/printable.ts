// SPDX-License-Identifier: MIT
/** Makes text of any origin safe to print: escapes characters that drive a terminal or cannot be seen. */

/**
 * Characters that drive a terminal, reverse a line, end a line, or cannot be seen: controls; marks of direction and of joining
 * (`Cf`, so also the U+200D between two emoji); separators of lines and paragraphs; private and unassigned characters; halves of
 * surrogate pairs; and characters that renderers ignore, such as variation selectors.
 */
export const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;

/** The text with {@link UNSAFE} characters as escapes: `\u001b`, `\u{e0041}`. */
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
