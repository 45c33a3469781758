// SPDX-License-Identifier: MIT
/** WAV headers: parses "fmt " chunks, and builds headers, with and without WAVE_FORMAT_EXTENSIBLE (mmreg.h). */
import { XsndError } from "../base/error.ts";
import { formatByName, type SampleFormat } from "../sndif/mod.ts";
import { count } from "../base/text.ts";
import type { AudioParams } from "./audio.ts";
import { linearFormat, wavOctets } from "./samples.ts";

const WAVE_FORMAT_PCM = 1;
const WAVE_FORMAT_IEEE_FLOAT = 3;
const WAVE_FORMAT_ALAW = 6;
const WAVE_FORMAT_MULAW = 7;
const WAVE_FORMAT_EXTENSIBLE = 0xfffe;

/** Format tags that cannot be read, and commands that convert their files. */
const OTHERS: Readonly<Record<number, readonly [name: string, command: string]>> = {
  0x02: ["Microsoft ADPCM", "sox FILE -e signed -b 16 OUT.wav"],
  0x11: ["IMA ADPCM", "sox FILE -e signed -b 16 OUT.wav"],
  0x31: ["GSM 6.10", "sox FILE -e signed -b 16 OUT.wav"],
  0x50: ["MPEG", "ffmpeg -i FILE OUT.wav"],
  0x55: ["MP3", "ffmpeg -i FILE OUT.wav"],
};

/** KSDATAFORMAT_SUBTYPE_* without the first two octets, which are a format tag. */
const SUBTYPE_TAIL = "000000001000800000aa00389b71";

/** The format tag of a sample format. */
function formatTag(format: SampleFormat): number {
  if (format.kind === "linear") return WAVE_FORMAT_PCM;
  if (format.kind === "float") return WAVE_FORMAT_IEEE_FLOAT;
  return format.name === "a_law" ? WAVE_FORMAT_ALAW : WAVE_FORMAT_MULAW;
}

/** The sample format of a tag and a number of octets a sample, or undefined. */
function formatOf(tag: number, octets: number): SampleFormat | undefined {
  if (tag === WAVE_FORMAT_PCM) return linearFormat(octets);
  if (tag === WAVE_FORMAT_IEEE_FLOAT && octets === 4) return formatByName("float_le");
  if (tag === WAVE_FORMAT_IEEE_FLOAT && octets === 8) return formatByName("float64_le");
  if (tag === WAVE_FORMAT_ALAW && octets === 1) return formatByName("a_law");
  if (tag === WAVE_FORMAT_MULAW && octets === 1) return formatByName("mu_law");
}

/** Octets of the longest "fmt " chunk with a meaning here: WAVEFORMATEXTENSIBLE. */
export const FMT_MAX_OCTETS = 40;

/** The samples of a file. */
export interface WavSamples {
  /** The parameters, with the sndif format that is nearest to the file's. */
  readonly params: AudioParams;
  /** Octets of a sample in the file. If the format's bits need fewer, the sample is in the low end. */
  readonly octets: number;
  /** A sentence for each fault: the fault, and the samples that are played. */
  readonly findings: readonly string[];
}

/**
 * Parses the "fmt " chunk of the file called `name`. Throws XsndError if the samples cannot be read.
 * @param chunk the chunk's first {@link FMT_MAX_OCTETS} octets, or the whole chunk if it is shorter
 */
export function parseFmt(name: string, chunk: Uint8Array): WavSamples {
  const bad = (what: string) => new XsndError(`cannot read ${name}: ${what}`);
  if (chunk.length < 16) throw bad(`its "fmt " chunk has ${chunk.length} octets, and takes at least 16`);
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
  let tag = view.getUint16(0, true);
  const channels = view.getUint16(2, true);
  const rate = view.getUint32(4, true);
  const blockAlign = view.getUint16(12, true);
  const bits = view.getUint16(14, true);
  const isExtensible = tag === WAVE_FORMAT_EXTENSIBLE;
  if (isExtensible) {
    if (chunk.length < FMT_MAX_OCTETS) {
      throw bad(`its "fmt " chunk is WAVE_FORMAT_EXTENSIBLE, which takes 40 octets, and has ${chunk.length}`);
    }
    if (chunk.subarray(26, 40).toHex() !== SUBTYPE_TAIL) {
      throw bad(`its samples are of an unknown kind, SubFormat ${chunk.subarray(24, 40).toHex()}`);
    }
    tag = view.getUint16(24, true);
  }
  if (channels === 0 || rate === 0) throw bad(`its header says ${channels} channels at ${rate} Hz`);
  const packed = Math.ceil(bits / 8);
  const says = `the header says ${bits} bits in frames of ${blockAlign} octets for ${
    count(channels, "channel")
  }`;
  const lowEnd = { params: { format: linearFormat(3)!, channels, rate }, octets: 4 };
  if (tag === WAVE_FORMAT_PCM && !isExtensible && isLowEnd(bits, blockAlign / channels)) {
    const finding = `${says}, as arecord writes S24_LE; the low 24 of 32 bits are played`;
    return { ...lowEnd, findings: [finding] };
  }
  // WAVE_FORMAT_EXTENSIBLE has the valid bits in the high end of a container, and zeros below. Without it the bits decide.
  const isContainer = isExtensible && Number.isInteger(blockAlign / channels) &&
    blockAlign / channels >= packed;
  const octets = isContainer ? blockAlign / channels : packed;
  const format = formatOf(tag, octets);
  if (format === undefined) {
    const [what, command] = OTHERS[tag] ??
      [`format 0x${tag.toString(16)} of ${bits} bits`, "ffmpeg -i FILE OUT.wav"];
    throw bad(
      `its samples are ${what}; PCM of 8, 16, 24 and 32 bits, floats of 32 and 64, A-law and mu-law can be read; ` +
        `convert it: \`${command}\``,
    );
  }
  const frameOctets = octets * channels;
  const findings = blockAlign === frameOctets ? [] : [`${says}; frames of ${frameOctets} octets are played`];
  return { params: { format, channels, rate }, octets, findings };
}

/**
 * Whether `bits` in `octets` is a header of arecord -f S24_LE, whose samples are the low three octets of four. alsa-utils up to
 * 1.2.11 write 24 bits in four octets. 1.2.15 and 1.2.16 write 32 bits in three octets: begin_wave() swaps the two widths.
 * 1.2.12 to 1.2.14 write 32 bits in four octets, like the header of S32_LE: the two cannot be told apart.
 */
function isLowEnd(bits: number, octets: number): boolean {
  return bits === 24 && octets === 4 || bits === 32 && octets === 3;
}

/** A header whose sizes can be set as the file grows. */
export interface WavHeader {
  readonly octets: Uint8Array<ArrayBuffer>;
  /** Sets the sizes for `dataOctets` octets of samples, or {@link UNKNOWN_SIZE}. */
  setDataOctets(dataOctets: number): void;
}

/** The size in the header of a file that is written to a pipe. */
export const UNKNOWN_SIZE = 0xffffffff;

/**
 * Builds the header of a file, up to the first sample. Mono and stereo PCM of 8 and 16 bits and the laws get a plain header, which
 * all programs read. Other parameters need WAVE_FORMAT_EXTENSIBLE. Throws TypeError for a format that WAV cannot hold.
 */
export function buildHeader({ format, channels, rate }: AudioParams): WavHeader {
  const octets = wavOctets(format);
  if (octets === undefined) throw new TypeError(`a WAV file cannot hold ${format.name}`);
  const tag = formatTag(format);
  const extensible = channels > 2 || (tag !== WAVE_FORMAT_ALAW && tag !== WAVE_FORMAT_MULAW && octets > 2);
  const fmtOctets = extensible ? 40 : tag === WAVE_FORMAT_PCM ? 16 : 18;
  // All formats except PCM need a "fact" chunk with the number of frames.
  const factAt = 20 + fmtOctets;
  const dataAt = factAt + (tag === WAVE_FORMAT_PCM ? 0 : 12);
  const header = new Uint8Array(dataAt + 8);
  const view = new DataView(header.buffer);
  const text = (at: number, characters: string) => header.set(new TextEncoder().encode(characters), at);
  text(0, "RIFF");
  text(8, "WAVEfmt ");
  view.setUint32(16, fmtOctets, true);
  view.setUint16(20, extensible ? WAVE_FORMAT_EXTENSIBLE : tag, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * channels * octets, true);
  view.setUint16(32, channels * octets, true);
  view.setUint16(34, octets * 8, true);
  if (extensible) {
    view.setUint16(36, 22, true);
    view.setUint16(38, octets * 8, true);
    // The channel mask stays 0: only the guest knows which channel is which speaker.
    view.setUint16(44, tag, true);
    header.set(Uint8Array.fromHex(SUBTYPE_TAIL), 46);
  }
  if (dataAt !== factAt) {
    text(factAt, "fact");
    view.setUint32(factAt + 4, 4, true);
  }
  text(dataAt, "data");
  return {
    octets: header,
    setDataOctets(dataOctets) {
      const unknown = dataOctets === UNKNOWN_SIZE;
      view.setUint32(4, unknown ? UNKNOWN_SIZE : header.length - 8 + dataOctets + dataOctets % 2, true);
      if (dataAt !== factAt) {
        view.setUint32(factAt + 8, unknown ? UNKNOWN_SIZE : dataOctets / (channels * octets), true);
      }
      view.setUint32(dataAt + 4, dataOctets, true);
    },
  };
}
