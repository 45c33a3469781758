// SPDX-License-Identifier: MIT
/** The hardware parameters of a PCM (`snd_pcm_hw_params_t`): begin with all that the PCM can do, and narrow with each setter. */
import { allocate } from "./allocate.ts";
import { check } from "./alsa_error.ts";
import { libasound } from "./libasound.ts";

type Pointer = NonNullable<Deno.PointerValue>;

/** The configurations that a PCM has left. Setters throw {@link AlsaError}: EINVAL if no configuration would be left. */
export class HwParams implements Disposable {
  readonly #pcm: Pointer;
  #params: Deno.PointerValue;
  readonly #frames = new BigUint64Array(1);
  readonly #dir = new Int32Array(1);

  /** @param pcm a `snd_pcm_t *` that outlives this object */
  constructor(pcm: Pointer) {
    this.#pcm = pcm;
    this.#params = allocate(libasound().snd_pcm_hw_params_malloc, "snd_pcm_hw_params_malloc");
    try {
      check(libasound().snd_pcm_hw_params_any(pcm, this.#params), "snd_pcm_hw_params_any");
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** The structure's address, for calls of {@link libasound}. */
  get pointer(): Pointer {
    if (this.#params === null) throw new TypeError("these ALSA hardware parameters were freed");
    return this.#params;
  }

  [Symbol.dispose](): void {
    if (this.#params === null) return;
    libasound().snd_pcm_hw_params_free(this.#params);
    this.#params = null;
  }

  /** @param access `SND_PCM_ACCESS.*` */
  setAccess(access: number): void {
    const result = libasound().snd_pcm_hw_params_set_access(this.#pcm, this.pointer, access);
    check(result, `snd_pcm_hw_params_set_access ${access}`);
  }

  /** @param format an `snd_pcm_format_t` */
  setFormat(format: number): void {
    const result = libasound().snd_pcm_hw_params_set_format(this.#pcm, this.pointer, format);
    check(result, `snd_pcm_hw_params_set_format ${format}`);
  }

  setChannels(channels: number): void {
    const result = libasound().snd_pcm_hw_params_set_channels(this.#pcm, this.pointer, channels);
    check(result, `snd_pcm_hw_params_set_channels ${channels}`);
  }

  /** Hz, exactly. */
  setRate(rate: number): void {
    const result = libasound().snd_pcm_hw_params_set_rate(this.#pcm, this.pointer, rate, 0);
    check(result, `snd_pcm_hw_params_set_rate ${rate}`);
  }

  /** Sets the possible buffer size nearest to `frames`, and returns that size. */
  setBufferSizeNear(frames: number): number {
    this.#frames[0] = BigInt(frames);
    const result = libasound().snd_pcm_hw_params_set_buffer_size_near(this.#pcm, this.pointer, this.#frames);
    check(result, `snd_pcm_hw_params_set_buffer_size_near ${frames}`);
    return Number(this.#frames[0]);
  }

  /** Sets the possible period size nearest to `frames`, and returns that size. */
  setPeriodSizeNear(frames: number): number {
    this.#frames[0] = BigInt(frames);
    this.#dir[0] = 0;
    const lib = libasound();
    const result = lib.snd_pcm_hw_params_set_period_size_near(
      this.#pcm,
      this.pointer,
      this.#frames,
      this.#dir,
    );
    check(result, `snd_pcm_hw_params_set_period_size_near ${frames}`);
    return Number(this.#frames[0]);
  }

  /** Whether the PCM can pause. */
  get canPause(): boolean {
    return libasound().snd_pcm_hw_params_can_pause(this.pointer) === 1;
  }
}
