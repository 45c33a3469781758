// SPDX-License-Identifier: MIT
/** The interface to audio files: readers and writers of frames in an sndif format, in order. */
import type { SampleFormat } from "../sndif/mod.ts";

/** The shape of frames. */
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

/** Receives a fault of a file: a sentence that names the file, the fault, and the frames that are played. */
export type Warn = (warning: string) => void;

/** Reads a file from its first frame to its last, into the caller's memory. */
export interface AudioReader extends Disposable {
  readonly params: AudioParams;
  /** Octets of a frame in {@link readFrames}. */
  readonly frameOctets: number;
  /** Frames in the whole file; undefined for a pipe, or a header without a size. */
  readonly frames: number | undefined;
  /** The formats that hold this file's samples without loss, the file's own first. */
  readonly formats: readonly SampleFormat[];
  /** Delivers samples in `format`, one of {@link formats}, from now on. Throws RangeError for any other format. */
  deliverAs(format: SampleFormat): void;
  /**
   * Fills `into`, which has room for a frame at least, with as many whole frames as fit and exist. Returns how many; 0 at the end.
   * A file that is cut short ends there. Throws {@link XsndError} if the file cannot be read.
   */
  readFrames(into: Uint8Array): number;
}

/** Writes a file frame by frame. The file is valid after the disposal, and as far as possible before. */
export interface AudioWriter extends Disposable {
  readonly params: AudioParams;
  /** Octets of a frame in {@link writeFrames}. */
  readonly frameOctets: number;
  /** Appends whole frames. Throws {@link XsndError} if they cannot be written. */
  writeFrames(octets: Uint8Array): void;
}

/** Copies the remaining frames of `reader` to `writer`, which has the same parameters; returns the number of frames. */
export function copyFrames(reader: AudioReader, writer: AudioWriter): number {
  const octets = new Uint8Array(Math.max(1, Math.floor((1 << 16) / reader.frameOctets)) * reader.frameOctets);
  let total = 0;
  for (let frames; (frames = reader.readFrames(octets)) > 0; total += frames) {
    writer.writeFrames(octets.subarray(0, frames * reader.frameOctets));
  }
  return total;
}
