// SPDX-License-Identifier: MIT
/**
 * The 25 sample formats of sndif: the layout of their samples, and their names in XenStore and in ALSA.
 * Sources: sndif.h for codes and names; alsa-lib's pcm.h and pcm_misc.c for ALSA's numbers, widths and silence.
 */
import * as sndif from "./constants.ts";

/** The encoding of a format's samples. */
export type SampleKind = "linear" | "float" | "law" | "iec958" | "compressed";

/** A sample format. */
export interface SampleFormat {
  /** `XENSND_PCM_FORMAT_*`. */
  readonly code: number;
  /** `XENSND_PCM_FORMAT_*_STR`, as in a `sample-formats` list. */
  readonly name: string;
  /** ALSA's `snd_pcm_format_t`. */
  readonly alsaFormat: number;
  /** What a sample is made of. */
  readonly kind: SampleKind;
  /** Octets of one sample in a buffer; undefined for "compressed", whose samples have no fixed size. */
  readonly octets: number | undefined;
  /** Significant bits of a sample (`snd_pcm_format_width`), at the low end of its octets. */
  readonly bits: number | undefined;
  /** Defined for "linear" alone. */
  readonly signed: boolean | undefined;
  /** Defined for samples longer than an octet. */
  readonly endian: "le" | "be" | undefined;
  /** One sample of silence, octet by octet. */
  readonly silence: readonly number[] | undefined;
}

type Row = readonly [
  code: number,
  name: string,
  alsaFormat: number,
  kind: SampleKind,
  octets?: number,
  bits?: number,
  silence?: string,
  signed?: boolean,
];

// deno-fmt-ignore
const rows: readonly Row[] = [
  [sndif.XENSND_PCM_FORMAT_S8, sndif.XENSND_PCM_FORMAT_S8_STR, 0, "linear", 1, 8, "00", true],
  [sndif.XENSND_PCM_FORMAT_U8, sndif.XENSND_PCM_FORMAT_U8_STR, 1, "linear", 1, 8, "80", false],
  [sndif.XENSND_PCM_FORMAT_S16_LE, sndif.XENSND_PCM_FORMAT_S16_LE_STR, 2, "linear", 2, 16, "0000", true],
  [sndif.XENSND_PCM_FORMAT_S16_BE, sndif.XENSND_PCM_FORMAT_S16_BE_STR, 3, "linear", 2, 16, "0000", true],
  [sndif.XENSND_PCM_FORMAT_U16_LE, sndif.XENSND_PCM_FORMAT_U16_LE_STR, 4, "linear", 2, 16, "0080", false],
  [sndif.XENSND_PCM_FORMAT_U16_BE, sndif.XENSND_PCM_FORMAT_U16_BE_STR, 5, "linear", 2, 16, "8000", false],
  [sndif.XENSND_PCM_FORMAT_S24_LE, sndif.XENSND_PCM_FORMAT_S24_LE_STR, 6, "linear", 4, 24, "00000000", true],
  [sndif.XENSND_PCM_FORMAT_S24_BE, sndif.XENSND_PCM_FORMAT_S24_BE_STR, 7, "linear", 4, 24, "00000000", true],
  [sndif.XENSND_PCM_FORMAT_U24_LE, sndif.XENSND_PCM_FORMAT_U24_LE_STR, 8, "linear", 4, 24, "00008000", false],
  [sndif.XENSND_PCM_FORMAT_U24_BE, sndif.XENSND_PCM_FORMAT_U24_BE_STR, 9, "linear", 4, 24, "00800000", false],
  [sndif.XENSND_PCM_FORMAT_S32_LE, sndif.XENSND_PCM_FORMAT_S32_LE_STR, 10, "linear", 4, 32, "00000000", true],
  [sndif.XENSND_PCM_FORMAT_S32_BE, sndif.XENSND_PCM_FORMAT_S32_BE_STR, 11, "linear", 4, 32, "00000000", true],
  [sndif.XENSND_PCM_FORMAT_U32_LE, sndif.XENSND_PCM_FORMAT_U32_LE_STR, 12, "linear", 4, 32, "00000080", false],
  [sndif.XENSND_PCM_FORMAT_U32_BE, sndif.XENSND_PCM_FORMAT_U32_BE_STR, 13, "linear", 4, 32, "80000000", false],
  [sndif.XENSND_PCM_FORMAT_F32_LE, sndif.XENSND_PCM_FORMAT_F32_LE_STR, 14, "float", 4, 32, "00000000"],
  [sndif.XENSND_PCM_FORMAT_F32_BE, sndif.XENSND_PCM_FORMAT_F32_BE_STR, 15, "float", 4, 32, "00000000"],
  [sndif.XENSND_PCM_FORMAT_F64_LE, sndif.XENSND_PCM_FORMAT_F64_LE_STR, 16, "float", 8, 64, "0000000000000000"],
  [sndif.XENSND_PCM_FORMAT_F64_BE, sndif.XENSND_PCM_FORMAT_F64_BE_STR, 17, "float", 8, 64, "0000000000000000"],
  [sndif.XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE, sndif.XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE_STR, 18, "iec958", 4, 32, "00000000"],
  [sndif.XENSND_PCM_FORMAT_IEC958_SUBFRAME_BE, sndif.XENSND_PCM_FORMAT_IEC958_SUBFRAME_BE_STR, 19, "iec958", 4, 32, "00000000"],
  [sndif.XENSND_PCM_FORMAT_MU_LAW, sndif.XENSND_PCM_FORMAT_MU_LAW_STR, 20, "law", 1, 8, "7f"],
  [sndif.XENSND_PCM_FORMAT_A_LAW, sndif.XENSND_PCM_FORMAT_A_LAW_STR, 21, "law", 1, 8, "55"],
  [sndif.XENSND_PCM_FORMAT_IMA_ADPCM, sndif.XENSND_PCM_FORMAT_IMA_ADPCM_STR, 22, "compressed"],
  [sndif.XENSND_PCM_FORMAT_MPEG, sndif.XENSND_PCM_FORMAT_MPEG_STR, 23, "compressed"],
  [sndif.XENSND_PCM_FORMAT_GSM, sndif.XENSND_PCM_FORMAT_GSM_STR, 24, "compressed"],
];

/** All formats, by code. */
export const FORMATS: readonly SampleFormat[] = rows.map(
  ([code, name, alsaFormat, kind, octets, bits, silence, signed]) => ({
    code,
    name,
    alsaFormat,
    kind,
    octets,
    bits,
    signed,
    endian: octets === undefined || octets === 1 ? undefined : name.endsWith("_be") ? "be" : "le",
    silence: silence === undefined ? undefined : Array.from(Uint8Array.fromHex(silence)),
  }),
);

const byName = new Map(FORMATS.map((format) => [format.name, format]));

/**
 * The format of a `XENSND_PCM_FORMAT_*` code, or undefined for any other number.
 *
 * @example
 * ```ts
 * import { formatByCode } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * assert.equal(formatByCode(2)?.name, "s16_le");
 * ```
 */
export function formatByCode(code: number): SampleFormat | undefined {
  return FORMATS[code];
}

/**
 * The format of a `XENSND_PCM_FORMAT_*` code that has been checked. Throws RangeError for any other number.
 *
 * @example
 * ```ts
 * import { knownFormat } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * assert.equal(knownFormat(2).octets, 2);
 * assert.throws(() => knownFormat(99), RangeError);
 * ```
 */
export function knownFormat(code: number): SampleFormat {
  const format = FORMATS[code];
  if (format === undefined) throw new RangeError(`${code} is not the code of a sample format`);
  return format;
}

/**
 * The format that a `sample-formats` list calls `name` ("s16_le"), or undefined.
 *
 * @example
 * ```ts
 * import { formatByName } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * assert.equal(formatByName("float_le")?.octets, 4);
 * ```
 */
export function formatByName(name: string): SampleFormat | undefined {
  return byName.get(name);
}

/**
 * The low half of a `formats` mask (HW_PARAM_QUERY) with the bits of `codes`. All formats are in the low half.
 *
 * @example
 * ```ts
 * import { formatsToMask } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * assert.equal(formatsToMask([0, 2]), 5);
 * ```
 */
export function formatsToMask(codes: Iterable<number>): number {
  let mask = 0;
  for (const code of codes) mask |= 1 << code;
  return mask >>> 0;
}

/**
 * The formats whose bits are set in the low half of a `formats` mask.
 *
 * @example
 * ```ts
 * import { maskToFormats } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(maskToFormats(5).map(({ name }) => name), ["s8", "s16_le"]);
 * ```
 */
export function maskToFormats(mask: number): SampleFormat[] {
  return FORMATS.filter(({ code }) => (mask >>> code & 1) === 1);
}

/**
 * Fills octets `start` to `end` with silence; a sample begins at `start`. Does nothing for a "compressed" format, whose silence
 * cannot be cut to length. Allocates nothing.
 *
 * @example
 * ```ts
 * import { fillSilence, formatByName } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const octets = new Uint8Array(4);
 * fillSilence(formatByName("u8")!, octets, 1, 3);
 * assert.deepEqual([...octets], [0, 0x80, 0x80, 0]);
 * ```
 */
export function fillSilence(format: SampleFormat, octets: Uint8Array, start: number, end: number): void {
  const silence = format.silence;
  if (silence === undefined) return;
  if (format.signed !== false || silence.length === 1) octets.fill(silence[0]!, start, end);
  else for (let i = start; i < end; i++) octets[i] = silence[(i - start) % silence.length]!;
}
