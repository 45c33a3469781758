/** Reading WAV files, in order and without seeking, so that a pipe will do. */
import { XsndError } from "../error.ts";
import type { SampleFormat } from "../sndif/mod.ts";
import type { AudioParams, AudioReader } from "./audio.ts";
import { InputFile } from "./file.ts";
import { FMT_MAX_OCTETS, parseFmt } from "./header.ts";
import { deliverableFormats, SampleMap } from "./samples.ts";

/** A file in which something is missing: what, where, and how much. */
function cutShort(name: string, missing: number, what: string): XsndError {
  const octets = missing === 1 ? "1 octet is" : `${missing} octets are`;
  return new XsndError(`${name} is cut short: ${octets} missing from ${what}; get a complete copy`);
}

/**
 * Whether a data chunk's size is one that programs write when they cannot go back to mend it: all ones (ffmpeg and
 * others), or whole frames up to 2 GiB (sox, arecord).
 */
function isPlaceholder(size: number): boolean {
  return size >= 0xffff0000 || (size >= 0x7fff0000 && size <= 0x80000000);
}

export class WavReader implements AudioReader {
  readonly #file: InputFile;
  readonly #dataAt: number;
  readonly #wavFrameOctets: number;
  /** Octets of samples that are still to come; infinite if only the end will tell. */
  #left: number;
  #map: SampleMap;
  #params: AudioParams;
  readonly formats: readonly SampleFormat[];
  readonly frames: number | undefined;

  /** Opens `path` (`-`: standard input). Throws {@link XsndError} if it is not a whole WAV file of a kind that can be read. */
  constructor(path: string) {
    using stack = new DisposableStack();
    this.#file = stack.use(new InputFile(path));
    const { params, riffSize, dataSize } = readHeader(this.#file);
    this.#params = params;
    this.formats = deliverableFormats(params.format);
    this.#map = new SampleMap(params.format, params.format);
    this.#wavFrameOctets = this.#map.wavOctets * params.channels;
    this.#dataAt = this.#file.position;
    this.#left = this.#dataOctets(riffSize, dataSize);
    this.frames = this.#left === Infinity ? undefined : this.#left / this.#wavFrameOctets;
    stack.move();
  }

  /** Octets of samples, judged by the header and by what is there. */
  #dataOctets(riffSize: number, dataSize: number): number {
    const { name, size } = this.#file;
    const present = size === undefined ? Infinity : size - this.#dataAt;
    const unknown = dataSize === 0
      ? riffSize === 0 || isPlaceholder(riffSize)
      : isPlaceholder(dataSize) && (size === undefined || present < dataSize);
    if (unknown && size === undefined) return Infinity;
    if (unknown) dataSize = present;
    if (present < dataSize) throw cutShort(name, dataSize - present, this.#where());
    const odd = dataSize % this.#wavFrameOctets;
    if (odd !== 0) throw cutShort(name, this.#wavFrameOctets - odd, `the last frame of ${this.#where()}`);
    return dataSize;
  }

  #where(): string {
    return `its samples, which begin at octet ${this.#dataAt}`;
  }

  get params(): AudioParams {
    return this.#params;
  }

  get frameOctets(): number {
    return this.#map.octets * this.#params.channels;
  }

  deliverAs(format: SampleFormat): void {
    if (!this.formats.includes(format)) {
      throw new RangeError(`${this.#file.name} cannot be delivered as ${format.name} without loss`);
    }
    this.#map = new SampleMap(this.formats[0], format);
    this.#params = { ...this.#params, format };
  }

  readFrames(into: Uint8Array): number {
    const room = Math.floor(into.length / this.frameOctets);
    if (room === 0) throw new RangeError(`${into.length} octets hold no frame of ${this.frameOctets}`);
    const octets = Math.min(room * this.#wavFrameOctets, this.#left);
    if (octets === 0) return 0;
    // To the end of the room: expand() works its way up from there. If the file ends before, it is moved.
    let frames = octets / this.#wavFrameOctets;
    const read = this.#file.read(this.#packed(into, frames));
    if (read < octets) frames = this.#ended(into, frames, read);
    this.#left -= frames * this.#wavFrameOctets;
    this.#map.expand(into.subarray(0, frames * this.frameOctets), frames * this.#params.channels);
    return frames;
  }

  /** Where in `into` the file's octets of `frames` frames go: the last ones that these frames will take. */
  #packed(into: Uint8Array, frames: number): Uint8Array {
    return into.subarray(frames * (this.frameOctets - this.#wavFrameOctets), frames * this.frameOctets);
  }

  /** The file ended after `read` octets of an asked-for `frames` frames: returns how many frames that is. */
  #ended(into: Uint8Array, frames: number, read: number): number {
    const odd = read % this.#wavFrameOctets;
    if (this.#left !== Infinity) throw cutShort(this.#file.name, this.#left - read, this.#where());
    if (odd !== 0) {
      throw cutShort(this.#file.name, this.#wavFrameOctets - odd, `the last frame of ${this.#where()}`);
    }
    const whole = read / this.#wavFrameOctets;
    const source = this.#packed(into, frames).subarray(0, read);
    this.#packed(into, whole).set(source);
    return whole;
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

interface Header {
  readonly params: AudioParams;
  readonly riffSize: number;
  readonly dataSize: number;
}

/** Reads up to the first sample. */
function readHeader(file: InputFile): Header {
  const riff = new Uint8Array(12);
  const got = file.read(riff);
  const magic = text(riff.subarray(0, 4));
  if (got < 12 || magic !== "RIFF" || text(riff.subarray(8)) !== "WAVE") {
    throw new XsndError(
      `cannot read ${file.name}: it is not a WAV file (${describe(riff.subarray(0, got))})`,
    );
  }
  let params: AudioParams | undefined;
  while (true) {
    const at = file.position;
    const head = new Uint8Array(8);
    const count = file.read(head);
    if (count === 0) throw new XsndError(`cannot read ${file.name}: it has no "data" chunk`);
    if (count < 8) throw cutShort(file.name, 8 - count, `a chunk's header at octet ${at}`);
    const id = text(head.subarray(0, 4));
    const size = uint32(head, 4);
    if (id === "data") {
      if (params === undefined) {
        throw new XsndError(`cannot read ${file.name}: it has no "fmt " chunk before its samples`);
      }
      return { params, riffSize: uint32(riff, 4), dataSize: size };
    }
    const kept = id === "fmt " ? new Uint8Array(Math.min(size, FMT_MAX_OCTETS)) : new Uint8Array();
    // Chunks begin at even octets.
    const missing = kept.length - file.read(kept) + skip(file, size + size % 2 - kept.length);
    if (missing > 0) throw cutShort(file.name, missing, `the chunk ${JSON.stringify(id)} at octet ${at}`);
    if (id === "fmt ") params = parseFmt(file.name, kept);
  }
}

/** Reads past `count` octets; returns how many of them are missing. */
function skip(file: InputFile, count: number): number {
  const scratch = new Uint8Array(Math.min(count, 1 << 16));
  while (count > 0) {
    const wanted = Math.min(count, scratch.length);
    const read = file.read(scratch.subarray(0, wanted));
    count -= read;
    if (read < wanted) break;
  }
  return count;
}

function uint32(octets: Uint8Array, at: number): number {
  return new DataView(octets.buffer, octets.byteOffset).getUint32(at, true);
}

function text(octets: Uint8Array): string {
  return String.fromCharCode(...octets);
}

/** What a file that is no WAV file begins with. */
function describe(start: Uint8Array): string {
  return start.length === 0 ? "it is empty" : `it begins with ${JSON.stringify(text(start))}`;
}
