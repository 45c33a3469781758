// SPDX-License-Identifier: MIT
/** Words that xl's `vsnd` has of its own (xl_parse.c, libxl_types.idl), and what they are in sndif.h. */
import { SERVED_FORMATS } from "../model/param_nodes.ts";
import { printableJson } from "../../base/text.ts";

/** libxl spells the formats of floating-point samples otherwise than sndif.h, xl.cfg(5) and the Linux frontend do. */
const LIBXL_FORMATS: Readonly<Record<string, string>> = {
  float_le: "f32_le",
  float_be: "f32_be",
  float64_le: "f64_le",
  float64_be: "f64_be",
};

const SNDIF_FORMATS = Object.fromEntries(
  Object.entries(LIBXL_FORMATS).map(([ours, theirs]) => [theirs, ours]),
);

/** Formats that xl takes and nobody serves. */
const COMPRESSED = ["ima_adpcm", "mpeg", "gsm"];

/** The name that xl takes for a format of sndif.h. */
export function toLibxlFormat(name: string): string {
  return LIBXL_FORMATS[name] ?? name;
}

/** Whether what libxl writes for this format of sndif.h is not what the Linux frontend reads. */
export function isMisspeltByLibxl(name: string): boolean {
  return name in LIBXL_FORMATS;
}

/** The format of sndif.h that xl's name stands for; undefined if xl refuses it. Capitals are all the same to xl. */
export function fromLibxlFormat(name: string): string | undefined {
  const lower = name.toLowerCase();
  if (lower in SNDIF_FORMATS) return SNDIF_FORMATS[lower];
  if (lower in LIBXL_FORMATS) return undefined;
  return SERVED_FORMATS.includes(lower) || COMPRESSED.includes(lower) ? lower : undefined;
}

/** Names that xl takes for formats. */
export const XL_FORMATS: readonly string[] = SERVED_FORMATS.map(toLibxlFormat);

/**
 * What our comments say that xl's syntax cannot: `# xsnd: {"device":"hw:0,0"}` after a stream, `{"backend":"a,b"}` after
 * a card, `{"domain":"domU"}` before all.
 */
const MARK = "xsnd:";

/** The comment that says `fields`, with its `#`. */
export function toComment(fields: object): string {
  return `# ${MARK} ${printableJson(JSON.stringify(fields))}`;
}

/** The text of a comment of ours after its mark; undefined of any other comment. */
export function markedText(comment: string | undefined): string | undefined {
  return comment?.startsWith(MARK) ? comment.slice(MARK.length).trim() : undefined;
}
