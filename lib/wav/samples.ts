// SPDX-License-Identifier: MIT
/**
 * Converts between a WAV file's samples and sndif's, without loss: octet order, sign, 24 bits in three octets or in four, and narrow
 * samples in wide formats.
 *
 * A WAV sample is little-endian and has as many octets as its bits need (but arecord also writes 24 bits in the low end of four
 * octets). Linear samples of one octet are unsigned, longer ones are signed. sndif has both signs and both orders, and holds 24
 * bits in the low end of four octets.
 */
import { formatByName, FORMATS, type SampleFormat } from "../sndif/mod.ts";

/** The sndif formats nearest to a WAV file's linear samples of 1 to 4 octets. */
const linearByOctets = ["u8", "s16_le", "s24_le", "s32_le"].map((name) => formatByName(name)!);

/** The sndif format nearest to a WAV file's linear samples of `octets` octets, or undefined. */
export function linearFormat(octets: number): SampleFormat | undefined {
  return linearByOctets[octets - 1];
}

/** Octets that a sample of `format` takes in a WAV file; undefined if WAV files cannot hold the format. */
export function wavOctets(format: SampleFormat): number | undefined {
  return format.kind === "linear" || format.kind === "float" || format.kind === "law"
    ? format.bits! / 8
    : undefined;
}

/** The format, of the same kind and width, in which a WAV file holds samples of `format`; undefined if it cannot. */
export function wavFormat(format: SampleFormat): SampleFormat | undefined {
  const octets = wavOctets(format);
  if (octets === undefined) return undefined;
  if (format.kind === "law") return format;
  if (format.kind === "linear") return linearFormat(octets);
  return FORMATS.find((other) => other.kind === "float" && other.octets === octets && other.endian === "le");
}

/** The formats that hold all samples of `native`, a {@link wavFormat}, without loss: `native` first, then narrow before wide. */
export function deliverableFormats(native: SampleFormat): SampleFormat[] {
  const width = (format: SampleFormat) => format.bits! * 2 + Number(format.endian === "be");
  return FORMATS
    .filter((format) =>
      format.kind === native.kind &&
      (native.kind === "linear" ? format.bits! >= native.bits! : wavFormat(format) === native)
    )
    .sort((a, b) => Number(b === native) - Number(a === native) || width(a) - width(b));
}

/** Converts between samples of one format and WAV samples. */
export class SampleMap {
  /** Octets of a sample in memory. */
  readonly octets: number;
  /** Significant octets of a WAV sample. */
  readonly #width: number;
  /** Whether both are equal, octet for octet. */
  readonly identity: boolean;
  /** The index, in a sample of the format, of each octet of the WAV sample. */
  readonly #places: readonly number[];
  /** The indices of the octets above the sample's significant ones. */
  readonly #padding: readonly number[];
  readonly #flip: number;
  readonly #extendSign: boolean;
  readonly #sample = new Uint8Array(8);

  /**
   * @param native the file's {@link wavFormat}
   * @param format one of its {@link deliverableFormats}
   * @param wavOctets octets of a sample in the file, at most as many as in memory; the sample is in the low end
   */
  constructor(native: SampleFormat, format: SampleFormat, readonly wavOctets = native.bits! / 8) {
    const octets = this.octets = format.octets!;
    const width = this.#width = native.bits! / 8;
    const significant = format.bits! / 8;
    const place = (significance: number) => format.endian === "be" ? octets - 1 - significance : significance;
    // A narrow sample goes to the top of a wide one: a factor of 2^8 for each octet of difference.
    this.#places = Array.from({ length: width }, (_, octet) => place(octet + significant - width));
    this.#padding = Array.from({ length: octets - significant }, (_, i) => place(significant + i));
    this.#flip = native.kind === "linear" && native.signed !== format.signed ? 0x80 : 0;
    this.#extendSign = format.signed === true;
    this.identity = octets === width && this.#flip === 0 &&
      this.#places.every((place, octet) => place === octet);
  }

  /**
   * Converts the last `count * wavOctets` octets of `samples`, WAV samples, into `count` samples of the format, from the first octet
   * of `samples` on. Works in place: reads ahead of its writes.
   */
  expand(samples: Uint8Array, count: number): void {
    if (this.identity) return;
    const { wavOctets, octets } = this;
    const width = this.#width;
    const sample = this.#sample;
    const from = count * (octets - wavOctets);
    for (let i = 0; i < count; i++) {
      for (let k = 0; k < width; k++) sample[k] = samples[from + i * wavOctets + k]!;
      const top = sample[width - 1]! ^ this.#flip;
      sample[width - 1] = top;
      const padding = this.#extendSign && top >= 0x80 ? 0xff : 0;
      const at = i * octets;
      for (let k = 0; k < octets; k++) samples[at + k] = 0;
      for (const place of this.#padding) samples[at + place] = padding;
      for (let k = 0; k < width; k++) samples[at + this.#places[k]!] = sample[k]!;
    }
  }

  /** Converts `count` samples of a format as wide as the file's into WAV samples without padding, at the start of `packed`. */
  pack(samples: Uint8Array, packed: Uint8Array, count: number): void {
    const { wavOctets, octets } = this;
    for (let i = 0; i < count; i++) {
      for (let k = 0; k < wavOctets; k++) packed[i * wavOctets + k] = samples[i * octets + this.#places[k]!]!;
      packed[(i + 1) * wavOctets - 1]! ^= this.#flip;
    }
  }
}
