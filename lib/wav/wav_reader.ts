// SPDX-License-Identifier: MIT
/** Reading WAV files, in order and without seeking, so that a pipe will do. */
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
  /** Octets of samples that are still to come; infinite if only the end will tell. */
  #left: number;
  #map: SampleMap;
  #params: AudioParams;
  readonly formats: readonly SampleFormat[];
  readonly frames: number | undefined;

  /**
   * Opens `path` (`-`: standard input). A file with faults is read as far as possible; `warn` is told of each fault, now or
   * while reading. Throws {@link XsndError} if no samples can be read.
   */
  constructor(path: string, private readonly warn: Warn = () => {}) {
    using stack = new DisposableStack();
    const file = this.#file = stack.use(new InputFile(path));
    const header = readContainer(file);
    const { params, octets, findings } = parseFmt(file.name, header.fmt);
    this.#params = params;
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
    this.#map = new SampleMap(this.formats[0], format, this.#map.wavOctets);
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
    if (this.#left !== Infinity) {
      this.#tell(`the samples end ${count(this.#left - read, "octet")} early; all before are played`);
    }
    const total = this.#file.position - this.#dataAt;
    const stray = strayFinding(total, this.#wavFrameOctets, this.#left === Infinity);
    if (stray !== undefined) this.#tell(stray);
    const whole = Math.floor(read / this.#wavFrameOctets);
    this.#packed(into, whole).set(this.#packed(into, frames).subarray(0, whole * this.#wavFrameOctets));
    // There is no more to come, whatever was said.
    this.#left = whole * this.#wavFrameOctets;
    return whole;
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}
