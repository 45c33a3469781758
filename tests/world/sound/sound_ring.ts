// SPDX-License-Identifier: MIT
/**
 * The buffer of a playback device, as its DMA engine sees the buffer: memory that is played round by round, whatever is in there.
 * Beside each frame stands who has written the frame, so that silence is told from written zeros, and a frame that is played twice
 * from a new one.
 */

/** Frames one after the other, of one origin. `isRepeat`: they have been played before, and nobody has touched them since. */
export type RunListener = (
  position: number,
  source: number,
  frames: number,
  octets: Uint8Array,
  isRepeat: boolean,
) => void;

/** The source of frames that nobody has written. */
export const NOBODY = -1;

export class SoundRing {
  readonly #octets: Uint8Array<ArrayBuffer>;
  /** Of each place: the application's position of the frame; {@link NOBODY}. */
  readonly #sources: Float64Array;
  /** Of each place: 1 if the frame has been played. */
  readonly #isPlayed: Uint8Array<ArrayBuffer>;
  readonly #silence: Uint8Array<ArrayBuffer>;

  /** @param silence a frame of silence */
  constructor(readonly frames: number, silence: Uint8Array) {
    this.#octets = new Uint8Array(frames * silence.length);
    this.#silence = new Uint8Array(frames * silence.length);
    for (let at = 0; at < this.#silence.length; at += silence.length) this.#silence.set(silence, at);
    this.#sources = new Float64Array(frames);
    this.#isPlayed = new Uint8Array(frames);
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
      this.#isPlayed.fill(0, place, place + part);
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
      this.#isPlayed.fill(0, place, place + part);
      done += part;
    }
  }

  /** Tells `listen` what is played from `position` to `end`. */
  play(position: number, end: number, listen: RunListener): void {
    const bytes = this.#frameBytes;
    const sources = this.#sources;
    const isPlayed = this.#isPlayed;
    while (position < end) {
      const place = position % this.frames;
      const most = Math.min(end - position, this.frames - place);
      const source = sources[place]!;
      const played = isPlayed[place]!;
      const step = source === NOBODY ? 0 : 1;
      let count = 1;
      while (
        count < most && sources[place + count] === source + step * count && isPlayed[place + count] === played
      ) count++;
      isPlayed.fill(1, place, place + count);
      const octets = this.#octets.subarray(place * bytes, (place + count) * bytes);
      listen(position, source, count, octets, played === 1 && source !== NOBODY);
      position += count;
    }
  }
}
