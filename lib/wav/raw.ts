/** Files of samples and nothing else; what they are must be said. */
import { XsndError } from "../error.ts";
import type { SampleFormat } from "../sndif/mod.ts";
import { type AudioParams, type AudioReader, type AudioWriter, frameOctets } from "./audio.ts";
import { InputFile, OutputFile } from "./file.ts";

export class RawReader implements AudioReader {
  readonly #file: InputFile;
  readonly frameOctets: number;
  readonly frames: number | undefined;
  readonly formats: readonly SampleFormat[];

  /** Opens `path` (`-`: standard input). Throws {@link XsndError} if it does not hold whole frames of `params`. */
  constructor(path: string, readonly params: AudioParams) {
    this.frameOctets = frameOctets(params);
    this.formats = [params.format];
    using stack = new DisposableStack();
    this.#file = stack.use(new InputFile(path));
    const { size } = this.#file;
    if (size !== undefined) {
      this.#refuseOdd(size % this.frameOctets);
      this.frames = size / this.frameOctets;
    }
    stack.move();
  }

  #refuseOdd(odd: number): void {
    if (odd === 0) return;
    const { format, channels } = this.params;
    throw new XsndError(
      `${this.#file.name} ends ${odd} octets into a frame of ${this.frameOctets} (${channels} channels of ` +
        `${format.name}); say its real format and channels, or get a complete copy`,
    );
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
    this.#refuseOdd(read % this.frameOctets);
    return read / this.frameOctets;
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

export class RawWriter implements AudioWriter {
  readonly #file: OutputFile;
  readonly frameOctets: number;

  /** Makes `path` (`-`: standard output), or empties it. */
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
