// SPDX-License-Identifier: MIT
/** Writes WAV files, which are valid while they grow. */
import { XsndError } from "../base/error.ts";
import type { AudioParams, AudioWriter } from "./audio.ts";
import { frameOctets } from "./audio.ts";
import { OutputFile } from "./file.ts";
import { buildHeader, UNKNOWN_SIZE, type WavHeader } from "./header.ts";
import { SampleMap, wavFormat } from "./samples.ts";

/** The most octets of samples: a RIFF chunk's maximum, less a margin for the header. */
const MAX_DATA_OCTETS = 0xffff0000 - 1;

/**
 * Writes a WAV file. The file is valid from the start: the header says 0 frames, and is updated after each second of sound. So the
 * file of a killed writer lacks at most a second. In a pipe the sizes stay unknown, which {@link WavReader} and most other
 * programs understand.
 */
export class WavWriter implements AudioWriter {
  readonly frameOctets: number;
  readonly #file: OutputFile;
  readonly #header: WavHeader;
  readonly #map: SampleMap;
  /** WAV samples, converted from those in memory; empty if both are equal. */
  readonly #packed: Uint8Array;
  #dataOctets = 0;
  #octetsToNextUpdate: number;

  /**
   * Creates `path` (`-`: standard output), or empties an existing file. Samples are stored in as many octets as their bits need, in
   * WAV's octet order and sign, whatever those of `params.format`. Throws {@link XsndError} if the file cannot be created, or a WAV
   * file cannot hold the format.
   */
  constructor(path: string, readonly params: AudioParams) {
    const native = wavFormat(params.format);
    if (native === undefined) {
      throw new XsndError(
        `cannot create ${path}: a WAV file cannot hold ${params.format.name}; write raw samples instead`,
      );
    }
    this.frameOctets = frameOctets(params);
    this.#map = new SampleMap(native, params.format);
    this.#packed = new Uint8Array(this.#map.identity ? 0 : 4096 * this.#map.wavOctets);
    this.#header = buildHeader({ ...params, format: native });
    this.#octetsToNextUpdate = this.#octetsPerSecond;
    using stack = new DisposableStack();
    this.#file = stack.use(new OutputFile(path));
    this.#header.setDataOctets(this.#file.seekable ? 0 : UNKNOWN_SIZE);
    this.#file.write(this.#header.octets);
    stack.move();
  }

  get #octetsPerSecond(): number {
    return this.params.rate * this.params.channels * this.#map.wavOctets;
  }

  writeFrames(octets: Uint8Array): void {
    const samples = octets.length / this.#map.octets;
    if (octets.length % this.frameOctets !== 0) {
      throw new RangeError(`${octets.length} octets are not whole frames of ${this.frameOctets}`);
    }
    const count = samples * this.#map.wavOctets;
    if (this.#file.seekable && this.#dataOctets + count > MAX_DATA_OCTETS) {
      throw new XsndError(
        `cannot write ${this.#file.name}: a WAV file holds no more than 4 GiB; write raw samples instead`,
      );
    }
    if (this.#map.identity) this.#file.write(octets);
    else this.#writePacked(octets, samples);
    this.#dataOctets += count;
    this.#octetsToNextUpdate -= count;
    if (this.#octetsToNextUpdate <= 0) this.#updateHeader();
  }

  #writePacked(octets: Uint8Array, samples: number): void {
    const { wavOctets, octets: each } = this.#map;
    const room = this.#packed.length / wavOctets;
    for (let at = 0; at < samples; at += room) {
      const count = Math.min(room, samples - at);
      this.#map.pack(octets.subarray(at * each), this.#packed, count);
      this.#file.write(this.#packed.subarray(0, count * wavOctets));
    }
  }

  #updateHeader(): void {
    this.#octetsToNextUpdate = this.#octetsPerSecond;
    if (!this.#file.seekable) return;
    this.#header.setDataOctets(this.#dataOctets);
    this.#file.overwrite(0, this.#header.octets);
  }

  /** Updates the header and closes the file. */
  [Symbol.dispose](): void {
    using _file = this.#file;
    // The padding octet does not count in the chunk's length. In a pipe, without a length, it would pass for sound.
    if (this.#file.seekable && this.#dataOctets % 2 === 1) this.#file.write(new Uint8Array(1));
    this.#updateHeader();
  }
}
