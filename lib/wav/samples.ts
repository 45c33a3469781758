// SPDX-License-Identifier: MIT
/**
 * Between a WAV file's samples and sndif's: other octet orders, other signs, 24 bits in three octets or in four, and
 * narrow samples in wide formats. All of it without loss.
 *
 * A WAV sample is little-endian, of as many octets as its bits need (arecord writes 24 bits in the low end of four, too);
 * linear ones are unsigned if one octet long and signed otherwise. sndif has both signs and orders, and holds 24 bits in the low end of four octets.
 */
import { formatByName, FORMATS, type SampleFormat } from "../sndif/mod.ts";

/** The format in which a WAV file's linear samples of 1 to 4 octets are nearest to what they are in the file. */
const linearByOctets = ["u8", "s16_le", "s24_le", "s32_le"].map((name) => formatByName(name)!);

/** {@link linearByOctets}, or undefined. */
export function linearFormat(octets: number): SampleFormat | undefined {
  return linearByOctets[octets - 1];
}

/** Octets of a sample in a WAV file whose format is called `format` here; undefined if WAV files cannot hold it. */
export function wavOctets(format: SampleFormat): number | undefined {
  return format.kind === "linear" || format.kind === "float" || format.kind === "law"
    ? format.bits! / 8
    : undefined;
}

/** The format that a WAV file's samples have when they come from `format`: of the same kind and width. */
export function wavFormat(format: SampleFormat): SampleFormat | undefined {
  const octets = wavOctets(format);
  if (octets === undefined) return undefined;
  if (format.kind === "law") return format;
  if (format.kind === "linear") return linearFormat(octets);
  return FORMATS.find((other) => other.kind === "float" && other.octets === octets && other.endian === "le");
}

/** The formats that hold every sample of `native` (a {@link wavFormat}) without loss: itself, then narrow before wide. */
export function deliverableFormats(native: SampleFormat): SampleFormat[] {
  const width = (format: SampleFormat) => format.bits! * 2 + Number(format.endian === "be");
  return FORMATS
    .filter((format) =>
      format.kind === native.kind &&
      (native.kind === "linear" ? format.bits! >= native.bits! : wavFormat(format) === native)
    )
    .sort((a, b) => Number(b === native) - Number(a === native) || width(a) - width(b));
}

/** How samples of `format` and WAV samples of a number of octets turn into each other. */
export class SampleMap {
  /** Octets of a sample in memory. */
  readonly octets: number;
  /** Octets of a WAV sample that count. */
  readonly #width: number;
  /** Whether both are the same, octet for octet. */
  readonly identity: boolean;
  /** Index in a sample of `format` of each octet of the WAV sample. */
  readonly #places: readonly number[];
  /** Indices of the octets above the sample's significant ones. */
  readonly #padding: readonly number[];
  readonly #flip: number;
  readonly #extendSign: boolean;
  readonly #sample = new Uint8Array(8);

  /**
   * @param native the file's {@link wavFormat}
   * @param format one of its {@link deliverableFormats}
   * @param wavOctets octets of a sample in the file; the sample is in their low end. At most as many as in memory
   */
  constructor(native: SampleFormat, format: SampleFormat, readonly wavOctets = native.bits! / 8) {
    const octets = this.octets = format.octets!;
    const width = this.#width = native.bits! / 8;
    const significant = format.bits! / 8;
    const place = (significance: number) => format.endian === "be" ? octets - 1 - significance : significance;
    // A narrow sample goes to the top of a wide one, as a factor of 2^8 for each octet between them.
    this.#places = Array.from({ length: width }, (_, octet) => place(octet + significant - width));
    this.#padding = Array.from({ length: octets - significant }, (_, i) => place(significant + i));
    this.#flip = native.kind === "linear" && native.signed !== format.signed ? 0x80 : 0;
    this.#extendSign = format.signed === true;
    this.identity = octets === width && this.#flip === 0 &&
      this.#places.every((place, octet) => place === octet);
  }

  /**
   * Turns the WAV samples that are the last `count * wavOctets` octets of `samples` into `count` samples of the
   * format, from its first octet on. In place, as it reads ahead of what it writes.
   */
  expand(samples: Uint8Array, count: number): void {
    if (this.identity) return;
    const { wavOctets, octets } = this;
    const width = this.#width;
    const sample = this.#sample;
    const from = count * (octets - wavOctets);
    for (let i = 0; i < count; i++) {
      for (let k = 0; k < width; k++) sample[k] = samples[from + i * wavOctets + k];
      sample[width - 1] ^= this.#flip;
      const padding = this.#extendSign && sample[width - 1] >= 0x80 ? 0xff : 0;
      const at = i * octets;
      for (let k = 0; k < octets; k++) samples[at + k] = 0;
      for (const place of this.#padding) samples[at + place] = padding;
      for (let k = 0; k < width; k++) samples[at + this.#places[k]] = sample[k];
    }
  }

  /** Turns `count` samples of a format as wide as the file's into WAV samples, without padding, at the start of `packed`. */
  pack(samples: Uint8Array, packed: Uint8Array, count: number): void {
    const { wavOctets, octets } = this;
    for (let i = 0; i < count; i++) {
      for (let k = 0; k < wavOctets; k++) packed[i * wavOctets + k] = samples[i * octets + this.#places[k]];
      packed[(i + 1) * wavOctets - 1] ^= this.#flip;
    }
  }
}
