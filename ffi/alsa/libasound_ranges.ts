// SPDX-License-Identifier: MIT
/**
 * The same few questions to PCMs, again and again: which formats, rates and channels go together. {@link HwParams} answers
 * any question and leaves garbage behind each; this one allocates nothing, for threads that may not wait for a collector.
 */
import { check, libasound } from "./libasound.ts";
import { allocate } from "./libasound_params.ts";
import { addressOf } from "../libc/libc.ts";

type Pointer = NonNullable<Deno.PointerValue>;

/** A `snd_pcm_hw_params_t` for any PCM. Methods throw {@link AlsaError}: EINVAL where nothing would be left. */
export class HwRanges implements Disposable {
  readonly #lib = libasound();
  readonly #params = allocate(this.#lib.snd_pcm_hw_params_malloc, "snd_pcm_hw_params_malloc");
  readonly #value = new Uint32Array(1);
  readonly #dir = new Int32Array(1);
  readonly #valueAddress = addressOf(this.#value);
  readonly #dirAddress = addressOf(this.#dir);
  #pcm: Pointer | undefined;

  [Symbol.dispose](): void {
    this.#lib.snd_pcm_hw_params_free(this.#params);
  }

  /** Begins with all that `pcm` can do. It must be open for as long as it is asked. */
  begin(pcm: Pointer): void {
    this.#pcm = pcm;
    check(this.#lib.snd_pcm_hw_params_any(pcm, this.#params), "snd_pcm_hw_params_any");
  }

  /** `SND_PCM_ACCESS.*`. */
  setAccess(access: number): void {
    const result = this.#lib.snd_pcm_hw_params_set_access(this.#pcm!, this.#params, access);
    check(result, "snd_pcm_hw_params_set_access");
  }

  /** `SND_PCM_FORMAT.*`. */
  setFormat(format: number): void {
    const result = this.#lib.snd_pcm_hw_params_set_format(this.#pcm!, this.#params, format);
    check(result, "snd_pcm_hw_params_set_format");
  }

  testFormat(format: number): boolean {
    return this.#lib.snd_pcm_hw_params_test_format(this.#pcm!, this.#params, format) === 0;
  }

  /** Excludes rates, in Hz, below `min` and above `max`. */
  limitRate(min: number, max: number): void {
    const [value, dir] = [this.#valueAddress, this.#dirAddress];
    this.#set(min);
    check(this.#lib.hot_set_rate_min(this.#pcm!, this.#params, value, dir), "snd_pcm_hw_params_set_rate_min");
    this.#set(max);
    check(this.#lib.hot_set_rate_max(this.#pcm!, this.#params, value, dir), "snd_pcm_hw_params_set_rate_max");
  }

  /** Excludes numbers of channels below `min` and above `max`. */
  limitChannels(min: number, max: number): void {
    const value = this.#valueAddress;
    this.#set(min);
    check(
      this.#lib.hot_set_channels_min(this.#pcm!, this.#params, value),
      "snd_pcm_hw_params_set_channels_min",
    );
    this.#set(max);
    check(
      this.#lib.hot_set_channels_max(this.#pcm!, this.#params, value),
      "snd_pcm_hw_params_set_channels_max",
    );
  }

  /** The lowest whole rate that is possible, in Hz. */
  get rateMin(): number {
    const result = this.#lib.hot_get_rate_min(this.#params, this.#valueAddress, this.#dirAddress);
    check(result, "snd_pcm_hw_params_get_rate_min");
    return this.#value[0] + (this.#dir[0] > 0 ? 1 : 0);
  }

  /** The highest whole rate that is possible, in Hz. */
  get rateMax(): number {
    const result = this.#lib.hot_get_rate_max(this.#params, this.#valueAddress, this.#dirAddress);
    check(result, "snd_pcm_hw_params_get_rate_max");
    return this.#value[0] - (this.#dir[0] < 0 ? 1 : 0);
  }

  get channelsMin(): number {
    const result = this.#lib.hot_get_channels_min(this.#params, this.#valueAddress);
    check(result, "snd_pcm_hw_params_get_channels_min");
    return this.#value[0];
  }

  get channelsMax(): number {
    const result = this.#lib.hot_get_channels_max(this.#params, this.#valueAddress);
    check(result, "snd_pcm_hw_params_get_channels_max");
    return this.#value[0];
  }

  #set(value: number): void {
    this.#value[0] = value;
    this.#dir[0] = 0;
  }
}
