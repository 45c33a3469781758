// SPDX-License-Identifier: MIT
/** Reads WAV files in order, without seeking, so also from a pipe. */
import type { SampleFormat } from "../sndif/mod.ts";
import { count } from "../base/text.ts";
import type { AudioParams, AudioReader, Warn } from "./audio.ts";
import { readContainer } from "./container.ts";
import { fileExtent, strayFinding, streamExtent } from "./extent.ts";
import { InputFile } from "./file.ts";
import { parseFmt } from "./header.ts";
import { deliverableFormats, SampleMap } from "./samples.ts";

export class WavReader implements AudioReader {
  readonly #file: InputFile;
  readonly #dataAt: number;
  readonly #wavFrameOctets: number;
  /** Octets of samples that are still to be read; Infinity until the end of a stream. */
  #left: number;
  /** The format nearest to the file's samples. */
  readonly #native: SampleFormat;
  #map: SampleMap;
  #params: AudioParams;
  readonly formats: readonly SampleFormat[];
  readonly frames: number | undefined;

  /**
   * Opens `path` (`-`: standard input). A file with faults is read as far as possible; `warn` receives each fault, now or during
   * the reading. Throws {@link XsndError} if no samples can be read.
   */
  constructor(path: string, private readonly warn: Warn = () => {}) {
    using stack = new DisposableStack();
    const file = this.#file = stack.use(new InputFile(path));
    const header = readContainer(file);
    const { params, octets, findings } = parseFmt(file.name, header.fmt);
    this.#params = params;
    this.#native = params.format;
    this.formats = deliverableFormats(params.format);
    this.#map = new SampleMap(params.format, params.format, octets);
    const frameOctets = this.#wavFrameOctets = octets * params.channels;
    const dataAt = this.#dataAt = file.position;
    const extent = file.size === undefined
      ? streamExtent(header, frameOctets)
      : fileExtent(header, file.size, dataAt, frameOctets);
    for (const finding of [...header.findings, ...findings, ...extent.findings]) this.#tell(finding);
    this.#left = extent.octets;
    this.frames = this.#left === Infinity ? undefined : this.#left / frameOctets;
    stack.move();
  }

  #tell(finding: string): void {
    this.warn(`${this.#file.name}: ${finding}`);
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
    this.#map = new SampleMap(this.#native, format, this.#map.wavOctets);
    this.#params = { ...this.#params, format };
  }

  readFrames(into: Uint8Array): number {
    const room = Math.floor(into.length / this.frameOctets);
    if (room === 0) throw new RangeError(`${into.length} octets hold no frame of ${this.frameOctets}`);
    const octets = Math.min(room * this.#wavFrameOctets, this.#left);
    if (octets === 0) return 0;
    // Reads to the end of the room, where expand() takes its input. If the file ends early, #ended() moves the octets there.
    let frames = octets / this.#wavFrameOctets;
    const read = this.#file.read(this.#packed(into, frames));
    if (read < octets) frames = this.#ended(into, frames, read);
    this.#left -= frames * this.#wavFrameOctets;
    this.#map.expand(into.subarray(0, frames * this.frameOctets), frames * this.#params.channels);
    return frames;
  }

  /** The part of `into` for the file's octets of `frames` frames: the last octets that these frames will take. */
  #packed(into: Uint8Array, frames: number): Uint8Array {
    return into.subarray(frames * (this.frameOctets - this.#wavFrameOctets), frames * this.frameOctets);
  }

  /** Handles the end of the file after `read` octets of `frames` requested frames; returns how many frames were read. */
  #ended(into: Uint8Array, frames: number, read: number): number {
    if (this.#left !== Infinity) {
      this.#tell(`the samples end ${count(this.#left - read, "octet")} early; all before are played`);
    }
    const total = this.#file.position - this.#dataAt;
    const stray = strayFinding(total, this.#wavFrameOctets, this.#left === Infinity);
    if (stray !== undefined) this.#tell(stray);
    const whole = Math.floor(read / this.#wavFrameOctets);
    this.#packed(into, whole).set(this.#packed(into, frames).subarray(0, whole * this.#wavFrameOctets));
    // Nothing follows, whatever the header says.
    this.#left = whole * this.#wavFrameOctets;
    return whole;
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}
