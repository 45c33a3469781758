// SPDX-License-Identifier: MIT
/** Reads and writes raw files: samples without a header. The caller gives the parameters. */
import type { SampleFormat } from "../sndif/mod.ts";
import { type AudioParams, type AudioReader, type AudioWriter, frameOctets, type Warn } from "./audio.ts";
import { InputFile, OutputFile } from "./file.ts";

export class RawReader implements AudioReader {
  readonly #file: InputFile;
  readonly frameOctets: number;
  readonly frames: number | undefined;
  readonly formats: readonly SampleFormat[];

  /** Opens `path` (`-`: standard input). `warn` receives the fault of a file that does not end with a whole frame. */
  constructor(path: string, readonly params: AudioParams, private readonly warn: Warn = () => {}) {
    this.frameOctets = frameOctets(params);
    this.formats = [params.format];
    this.#file = new InputFile(path);
    const { size } = this.#file;
    if (size !== undefined) this.frames = Math.floor(size / this.frameOctets);
  }

  deliverAs(format: SampleFormat): void {
    if (format !== this.params.format) {
      throw new RangeError(`raw ${this.params.format.name} is not ${format.name}`);
    }
  }

  readFrames(into: Uint8Array): number {
    const room = Math.floor(into.length / this.frameOctets);
    if (room === 0) throw new RangeError(`${into.length} octets hold no frame of ${this.frameOctets}`);
    const read = this.#file.read(into.subarray(0, room * this.frameOctets));
    const stray = read % this.frameOctets;
    if (stray > 0) this.#tellStray(stray);
    return (read - stray) / this.frameOctets;
  }

  #tellStray(stray: number): void {
    const { format, channels } = this.params;
    this.warn(
      `${this.#file.name}: the samples end ${stray} octets into a frame of ${this.frameOctets} (${channels} channels of ` +
        `${format.name}); the whole frames are played; if they are noise, give the real --format and --channels`,
    );
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

export class RawWriter implements AudioWriter {
  readonly #file: OutputFile;
  readonly frameOctets: number;

  /** Creates `path` (`-`: standard output), or empties an existing file. */
  constructor(path: string, readonly params: AudioParams) {
    this.frameOctets = frameOctets(params);
    this.#file = new OutputFile(path);
  }

  writeFrames(octets: Uint8Array): void {
    if (octets.length % this.frameOctets !== 0) {
      throw new RangeError(`${octets.length} octets are not whole frames of ${this.frameOctets}`);
    }
    this.#file.write(octets);
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}
