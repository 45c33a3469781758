// SPDX-License-Identifier: MIT
/** The software parameters of a PCM (`snd_pcm_sw_params_t`): when the PCM starts, stops, wakes its user and plays silence. */
import { allocate } from "./allocate.ts";
import { check } from "./alsa_error.ts";
import { libasound, SND_PCM_TSTAMP } from "./libasound.ts";

type Pointer = NonNullable<Deno.PointerValue>;

/** Setters throw {@link AlsaError}. Frame counts may be {@link boundary}. */
export class SwParams implements Disposable {
  readonly #pcm: Pointer;
  #params: Deno.PointerValue;

  /** The current parameters of `pcm`, a `snd_pcm_t *` that is set up and outlives this object. */
  constructor(pcm: Pointer) {
    this.#pcm = pcm;
    this.#params = allocate(libasound().snd_pcm_sw_params_malloc, "snd_pcm_sw_params_malloc");
    try {
      check(libasound().snd_pcm_sw_params_current(pcm, this.#params), "snd_pcm_sw_params_current");
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** The structure's address, for calls of {@link libasound}. */
  get pointer(): Pointer {
    if (this.#params === null) throw new TypeError("these ALSA software parameters were freed");
    return this.#params;
  }

  [Symbol.dispose](): void {
    if (this.#params === null) return;
    libasound().snd_pcm_sw_params_free(this.#params);
    this.#params = null;
  }

  /** The frame count at which ALSA's own pointers wrap. As a threshold it means "never". */
  get boundary(): bigint {
    const out = new BigUint64Array(1);
    check(libasound().snd_pcm_sw_params_get_boundary(this.pointer, out), "snd_pcm_sw_params_get_boundary");
    return out[0] ?? 0n;
  }

  /** The PCM starts by itself once this many frames are queued. */
  setStartThreshold(frames: bigint): void {
    const result = libasound().snd_pcm_sw_params_set_start_threshold(this.#pcm, this.pointer, frames);
    check(result, `snd_pcm_sw_params_set_start_threshold ${frames}`);
  }

  /** The PCM stops by itself (xrun) once this many frames are available. */
  setStopThreshold(frames: bigint): void {
    const result = libasound().snd_pcm_sw_params_set_stop_threshold(this.#pcm, this.pointer, frames);
    check(result, `snd_pcm_sw_params_set_stop_threshold ${frames}`);
  }

  /** The driver fills this many frames ahead with silence; {@link boundary}: all of the buffer that has been played. */
  setSilenceSize(frames: bigint): void {
    const result = libasound().snd_pcm_sw_params_set_silence_size(this.#pcm, this.pointer, frames);
    check(result, `snd_pcm_sw_params_set_silence_size ${frames}`);
  }

  /**
   * Turns on a time-stamp at each update of the pointer.
   * @param type `SND_PCM_TSTAMP_TYPE.*`
   */
  setTimestamps(type: number): void {
    const lib = libasound();
    const enabled = lib.snd_pcm_sw_params_set_tstamp_mode(this.#pcm, this.pointer, SND_PCM_TSTAMP.ENABLE);
    check(enabled, "snd_pcm_sw_params_set_tstamp_mode");
    const typed = lib.snd_pcm_sw_params_set_tstamp_type(this.#pcm, this.pointer, type);
    check(typed, "snd_pcm_sw_params_set_tstamp_type");
  }

  /** Whether each period wakes the poll descriptors, however few frames are available. */
  setPeriodEvent(wake: boolean): void {
    const result = libasound().snd_pcm_sw_params_set_period_event(this.#pcm, this.pointer, Number(wake));
    check(result, "snd_pcm_sw_params_set_period_event");
  }
}
