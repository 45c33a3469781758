// SPDX-License-Identifier: MIT
/** The texts that a XenStore node of a card may hold: one line of bounded length. */
const encoder = new TextEncoder();

/**
 * Why `text` is not one line of at most `octets` octets of UTF-8; undefined if it is one. `comma` says whether the text may
 * hold commas. The reason continues a sentence after the text: "takes 33 octets, 31 is the most".
 */
export function textProblem(text: string, octets: number, comma: "comma" | "no comma"): string | undefined {
  if (text === "") return "is empty";
  if (/\p{Cc}/u.test(text)) return "holds a control character or a line break";
  if (!text.isWellFormed()) return "holds half a surrogate pair";
  if (comma === "no comma" && text.includes(",")) return "holds a comma, which xl.cfg cannot express";
  const length = encoder.encode(text).length;
  return length > octets ? `takes ${length} octets, ${octets} is the most` : undefined;
}
