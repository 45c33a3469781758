// SPDX-License-Identifier: MIT
/** An open PCM as one thread, the engine, moves frames through it. */
import { ERRNO } from "../libc/errno.ts";
import { wrappedMicros } from "../libc/micros_clock.ts";
import { addressOf } from "../libc/pointers.ts";
import { libasound } from "./libasound.ts";

type Pointer = NonNullable<Deno.PointerValue>;

/**
 * A PCM that is set up, and that somebody else closes. Methods neither allocate nor throw: results are ALSA's own, and negative
 * ones are errors.
 */
export class SndPcmIo {
  readonly #lib = libasound();
  readonly #pcm: Pointer;
  /** avail; struct timespec { s, ns } */
  readonly #cells = new BigInt64Array(3);
  readonly #availCell = addressOf(this.#cells.subarray(0, 1));
  readonly #stampCell = addressOf(this.#cells.subarray(1, 3));
  readonly #words = new Int32Array(this.#cells.buffer);

  /** @param address {@link SndPcm.address} */
  constructor(address: bigint) {
    const pcm = Deno.UnsafePointer.create(address);
    if (pcm === null) throw new TypeError("an ALSA PCM cannot be at address 0");
    this.#pcm = pcm;
  }

  /** Takes up to `frames` frames from `samples`. -EAGAIN: no room for any; -EPIPE: xrun. */
  writei(samples: Pointer, frames: number): number {
    return believable(this.#lib.hot_writei(this.#pcm, samples, frames), frames);
  }

  /** Gives up to `frames` frames into `samples`. */
  readi(samples: Pointer, frames: number): number {
    return believable(this.#lib.hot_readi(this.#pcm, samples, frames), frames);
  }

  /** Frames that can be written or read now. Reads the hardware pointer from the device. */
  avail(): number {
    return this.#lib.hot_avail(this.#pcm);
  }

  /** Frames that can be written or read, by the hardware pointer as libasound last saw it. */
  availUpdate(): number {
    return this.#lib.hot_avail_update(this.#pcm);
  }

  /** Moves the application's pointer on by up to `frames` frames; returns by how many. */
  forward(frames: number): number {
    return this.#lib.hot_forward(this.#pcm, frames);
  }

  prepare(): number {
    return this.#lib.snd_pcm_prepare(this.#pcm);
  }

  start(): number {
    return this.#lib.snd_pcm_start(this.#pcm);
  }

  drop(): number {
    return this.#lib.snd_pcm_drop(this.#pcm);
  }

  pause(enable: boolean): number {
    return this.#lib.snd_pcm_pause(this.#pcm, enable ? 1 : 0);
  }

  /** `SND_PCM_STATE.*`. */
  state(): number {
    return this.#lib.snd_pcm_state(this.#pcm);
  }

  /** Notes the time of the pointer's last update, without asking the device; false if that time is not known. */
  noteUpdate(): boolean {
    return this.#lib.snd_pcm_htimestamp(this.#pcm, this.#availCell, this.#stampCell) >= 0;
  }

  /**
   * Whole µs from the update that {@link noteUpdate} noted to `now` ({@link MicrosClock}). The PCM's time-stamps must be
   * CLOCK_MONOTONIC's: {@link SwParams.setTimestamps}.
   */
  updateAge(now: number): number {
    return now - wrappedMicros(this.#words[2]!, this.#words[4]!) | 0;
  }
}

/** -EIO for a faulty plugin that claims to have moved more frames than it was given. */
function believable(moved: number, frames: number): number {
  return moved > frames ? -ERRNO.EIO : moved;
}
