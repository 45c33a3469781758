// SPDX-License-Identifier: MIT
/** Patterns of a shell's kind for names: `*` matches any characters, `?` one. */

/** Whether `text` is a pattern, and not a name. */
export function isPattern(text: string): boolean {
  return /[*?]/.test(text);
}

/** Matches whole names. */
export function matcherOf(pattern: string): RegExp {
  const text = pattern.replace(/[\\^$.|+()[\]{}]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${text}$`, "su");
}
