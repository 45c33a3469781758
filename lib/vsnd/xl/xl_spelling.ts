// SPDX-License-Identifier: MIT
/** Spellings of xl's `vsnd`: libxl's names of formats (libxl_types.idl, xl_parse.c), and xsnd's marked comments. */
import { SERVED_FORMATS } from "../model/param_nodes.ts";
import { printableJson } from "../../base/text.ts";

/** The floating-point formats, which libxl spells in its own way; sndif.h, xl.cfg(5) and the Linux frontend agree on the other. */
const LIBXL_FORMATS: Readonly<Record<string, string>> = {
  float_le: "f32_le",
  float_be: "f32_be",
  float64_le: "f64_le",
  float64_be: "f64_be",
};

const SNDIF_FORMATS = Object.fromEntries(
  Object.entries(LIBXL_FORMATS).map(([ours, theirs]) => [theirs, ours]),
);

/** Formats that xl takes and xsnd does not serve. */
const COMPRESSED = ["ima_adpcm", "mpeg", "gsm"];

/** xl's name of a format of sndif.h. */
export function toLibxlFormat(name: string): string {
  return LIBXL_FORMATS[name] ?? name;
}

/** Whether libxl writes a name for this format of sndif.h that the Linux frontend does not know. */
export function isMisspeltByLibxl(name: string): boolean {
  return name in LIBXL_FORMATS;
}

/** The sndif.h name of the format that xl calls `name`, in any case; undefined for a name that xl refuses. */
export function fromLibxlFormat(name: string): string | undefined {
  const lower = name.toLowerCase();
  if (lower in SNDIF_FORMATS) return SNDIF_FORMATS[lower];
  if (lower in LIBXL_FORMATS) return undefined;
  return SERVED_FORMATS.includes(lower) || COMPRESSED.includes(lower) ? lower : undefined;
}

/** xl's names of all served formats. */
export const XL_FORMATS: readonly string[] = SERVED_FORMATS.map(toLibxlFormat);

/**
 * The mark of comments with values that xl's syntax cannot express: `# xsnd: {"device":"hw:0,0"}` after a stream,
 * `{"backend":"a,b"}` after a card, `{"domain":"domU"}` at the beginning.
 */
const MARK = "xsnd:";

/** The marked comment with `fields`, with its `#`. */
export function toComment(fields: object): string {
  return `# ${MARK} ${printableJson(JSON.stringify(fields))}`;
}

/** The text of a marked comment after the mark; undefined for any other comment. */
export function markedText(comment: string | undefined): string | undefined {
  return comment?.startsWith(MARK) ? comment.slice(MARK.length).trim() : undefined;
}
