// SPDX-License-Identifier: MIT
/** Audio files as the rest of the program sees them: frames in an sndif format, one after the other. */
import type { SampleFormat } from "../sndif/mod.ts";

/** What frames look like. */
export interface AudioParams {
  readonly format: SampleFormat;
  readonly channels: number;
  /** Hz. */
  readonly rate: number;
}

/** Octets of a frame; throws RangeError for a format whose samples have no fixed number of octets. */
export function frameOctets({ format, channels }: AudioParams): number {
  if (format.octets === undefined) {
    throw new RangeError(`${format.name} has no fixed number of octets a sample`);
  }
  return format.octets * channels;
}

/** Is told a fault of a file: a sentence that names the file, what is wrong, and what is played. */
export type Warn = (warning: string) => void;

/** Reads a file from its first frame to its last, in as much memory as the caller gives it. */
export interface AudioReader extends Disposable {
  readonly params: AudioParams;
  /** Octets of a frame as {@link readFrames} delivers it. */
  readonly frameOctets: number;
  /** Frames in the whole file; undefined if only its end will tell (a pipe, a header that does not say). */
  readonly frames: number | undefined;
  /** Formats that this file's samples fit without loss, the file's own first. */
  readonly formats: readonly SampleFormat[];
  /** Delivers in another one of {@link formats} from now on. Throws RangeError for any other. */
  deliverAs(format: SampleFormat): void;
  /**
   * Fills `into` with as many whole frames as fit and exist; returns how many, 0 at the end. `into` must hold at
   * least one. Throws {@link XsndError} where the file cannot be read; one that breaks off early ends there.
   */
  readFrames(into: Uint8Array): number;
}

/** Writes a file frame by frame. What was written is a valid file after disposal, and as far as possible before. */
export interface AudioWriter extends Disposable {
  readonly params: AudioParams;
  /** Octets of a frame as {@link writeFrames} takes it. */
  readonly frameOctets: number;
  /** Appends whole frames. Throws {@link XsndError} if the file cannot take them. */
  writeFrames(octets: Uint8Array): void;
}

/** Copies all that `reader` has left to `writer`, of the same parameters; returns the number of frames. */
export function copyFrames(reader: AudioReader, writer: AudioWriter): number {
  const octets = new Uint8Array(Math.max(1, Math.floor((1 << 16) / reader.frameOctets)) * reader.frameOctets);
  let total = 0;
  for (let frames; (frames = reader.readFrames(octets)) > 0; total += frames) {
    writer.writeFrames(octets.subarray(0, frames * reader.frameOctets));
  }
  return total;
}
