// SPDX-License-Identifier: MIT
/** What may be said in one XenStore node: a bounded line. */
const encoder = new TextEncoder();

/**
 * Why `text` is not a line of at most `octets` octets of UTF-8; undefined if it is one. The reason follows the text
 * in a sentence: "takes 33 octets, 31 is the most".
 */
export function textProblem(text: string, octets: number, comma: "comma" | "no comma"): string | undefined {
  if (text === "") return "is empty";
  if (/\p{Cc}/u.test(text)) return "holds a control character or a line break";
  if (!text.isWellFormed()) return "holds half a surrogate pair";
  if (comma === "no comma" && text.includes(",")) return "holds a comma, which xl.cfg could not express";
  const length = encoder.encode(text).length;
  return length > octets ? `takes ${length} octets, ${octets} is the most` : undefined;
}
