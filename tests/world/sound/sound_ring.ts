// SPDX-License-Identifier: MIT
/**
 * The buffer of a playback device, as its DMA engine sees the buffer: memory that is played round by round, whatever is in there.
 * Beside each frame stands who has written the frame, so that silence is told from written zeros, and a frame that is played twice
 * from a new one.
 */

/** Frames one after the other, of one origin. */
export type RunListener = (position: number, source: number, frames: number, octets: Uint8Array) => void;

/** The source of frames that nobody has written. */
export const NOBODY = -1;

export class SoundRing {
  readonly #octets: Uint8Array<ArrayBuffer>;
  /** Of each place: the application's position of the frame; {@link NOBODY}. */
  readonly #sources: Float64Array;
  readonly #silence: Uint8Array<ArrayBuffer>;

  /** @param silence a frame of silence */
  constructor(readonly frames: number, silence: Uint8Array) {
    this.#octets = new Uint8Array(frames * silence.length);
    this.#silence = new Uint8Array(frames * silence.length);
    for (let at = 0; at < this.#silence.length; at += silence.length) this.#silence.set(silence, at);
    this.#sources = new Float64Array(frames);
    this.clear(0, frames);
  }

  get #frameBytes(): number {
    return this.#octets.length / this.frames;
  }

  /** Puts the first `frames` frames of `octets` in, from the application's position `position` on. */
  write(position: number, octets: Uint8Array, frames: number): void {
    const bytes = this.#frameBytes;
    for (let done = 0; done < frames;) {
      const place = (position + done) % this.frames;
      const part = Math.min(frames - done, this.frames - place);
      this.#octets.set(octets.subarray(done * bytes, (done + part) * bytes), place * bytes);
      for (let i = 0; i < part; i++) this.#sources[place + i] = position + done + i;
      done += part;
    }
  }

  /** Silences `frames` frames from `position` on. */
  clear(position: number, frames: number): void {
    const bytes = this.#frameBytes;
    const count = Math.min(frames, this.frames);
    for (let done = 0; done < count;) {
      const place = (position + done) % this.frames;
      const part = Math.min(count - done, this.frames - place);
      this.#octets.set(this.#silence.subarray(0, part * bytes), place * bytes);
      this.#sources.fill(NOBODY, place, place + part);
      done += part;
    }
  }

  /** Tells `listen` what is played from `position` to `end`. */
  play(position: number, end: number, listen: RunListener): void {
    const bytes = this.#frameBytes;
    const sources = this.#sources;
    while (position < end) {
      const place = position % this.frames;
      const most = Math.min(end - position, this.frames - place);
      const source = sources[place]!;
      let count = 1;
      if (source === NOBODY) { while (count < most && sources[place + count] === NOBODY) count++; }
      else while (count < most && sources[place + count] === source + count) count++;
      listen(position, source, count, this.#octets.subarray(place * bytes, (place + count) * bytes));
      position += count;
    }
  }
}
