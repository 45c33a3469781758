// SPDX-License-Identifier: MIT
/**
 * The formats, rates and channels that PCMs can do together. Unlike {@link HwParams} this class allocates nothing per question:
 * it serves threads that must not wait for a garbage collector.
 */
import { addressOf } from "../libc/pointers.ts";
import { allocate } from "./allocate.ts";
import { check } from "./alsa_error.ts";
import { libasound } from "./libasound.ts";

type Pointer = NonNullable<Deno.PointerValue>;

/** A `snd_pcm_hw_params_t` for one PCM after another. Methods throw {@link AlsaError}: EINVAL if nothing would be left. */
export class HwRanges implements Disposable {
  readonly #lib = libasound();
  readonly #params = allocate(this.#lib.snd_pcm_hw_params_malloc, "snd_pcm_hw_params_malloc");
  readonly #value = new Uint32Array(1);
  readonly #dir = new Int32Array(1);
  readonly #valueAddress = addressOf(this.#value);
  readonly #dirAddress = addressOf(this.#dir);
  #begun: Pointer | undefined;

  [Symbol.dispose](): void {
    this.#lib.snd_pcm_hw_params_free(this.#params);
  }

  /** Begins with all that `pcm` can do. The PCM stays open for as long as it is asked. */
  begin(pcm: Pointer): void {
    this.#begun = pcm;
    check(this.#lib.snd_pcm_hw_params_any(pcm, this.#params), "snd_pcm_hw_params_any");
  }

  get #pcm(): Pointer {
    if (this.#begun === undefined) throw new TypeError("begin() comes first");
    return this.#begun;
  }

  /** @param access `SND_PCM_ACCESS.*` */
  setAccess(access: number): void {
    const result = this.#lib.snd_pcm_hw_params_set_access(this.#pcm, this.#params, access);
    check(result, "snd_pcm_hw_params_set_access");
  }

  /** @param format an `snd_pcm_format_t` */
  setFormat(format: number): void {
    const result = this.#lib.snd_pcm_hw_params_set_format(this.#pcm, this.#params, format);
    check(result, "snd_pcm_hw_params_set_format");
  }

  /** Whether the `snd_pcm_format_t` is still possible. */
  testFormat(format: number): boolean {
    return this.#lib.snd_pcm_hw_params_test_format(this.#pcm, this.#params, format) === 0;
  }

  /** Excludes rates, in Hz, below `min` and above `max`. */
  limitRate(min: number, max: number): void {
    const lib = this.#lib;
    const value = this.#valueAddress;
    const dir = this.#dirAddress;
    this.#set(min);
    const least = lib.snd_pcm_hw_params_set_rate_min(this.#pcm, this.#params, value, dir);
    check(least, "snd_pcm_hw_params_set_rate_min");
    this.#set(max);
    const most = lib.snd_pcm_hw_params_set_rate_max(this.#pcm, this.#params, value, dir);
    check(most, "snd_pcm_hw_params_set_rate_max");
  }

  /** Excludes numbers of channels below `min` and above `max`. */
  limitChannels(min: number, max: number): void {
    const lib = this.#lib;
    const value = this.#valueAddress;
    this.#set(min);
    const least = lib.snd_pcm_hw_params_set_channels_min(this.#pcm, this.#params, value);
    check(least, "snd_pcm_hw_params_set_channels_min");
    this.#set(max);
    const most = lib.snd_pcm_hw_params_set_channels_max(this.#pcm, this.#params, value);
    check(most, "snd_pcm_hw_params_set_channels_max");
  }

  /** The lowest whole rate that is possible, in Hz. */
  get rateMin(): number {
    const lib = this.#lib;
    const result = lib.snd_pcm_hw_params_get_rate_min(this.#params, this.#valueAddress, this.#dirAddress);
    check(result, "snd_pcm_hw_params_get_rate_min");
    return this.#value[0]! + (this.#dir[0]! > 0 ? 1 : 0);
  }

  /** The highest whole rate that is possible, in Hz. */
  get rateMax(): number {
    const lib = this.#lib;
    const result = lib.snd_pcm_hw_params_get_rate_max(this.#params, this.#valueAddress, this.#dirAddress);
    check(result, "snd_pcm_hw_params_get_rate_max");
    return this.#value[0]! - (this.#dir[0]! < 0 ? 1 : 0);
  }

  get channelsMin(): number {
    const result = this.#lib.snd_pcm_hw_params_get_channels_min(this.#params, this.#valueAddress);
    check(result, "snd_pcm_hw_params_get_channels_min");
    return this.#value[0]!;
  }

  get channelsMax(): number {
    const result = this.#lib.snd_pcm_hw_params_get_channels_max(this.#params, this.#valueAddress);
    check(result, "snd_pcm_hw_params_get_channels_max");
    return this.#value[0]!;
  }

  #set(value: number): void {
    this.#value[0] = value;
    this.#dir[0] = 0;
  }
}
