// SPDX-License-Identifier: MIT
/**
 * ALSA's configuration spaces: `snd_pcm_hw_params_t`, which begins as everything that a PCM can do and narrows with
 * each setter, and `snd_pcm_sw_params_t`.
 */
import { AlsaError, check, libasound, SND_PCM_FORMAT } from "./libasound.ts";

type Pointer = NonNullable<Deno.PointerValue>;

/** The numeric parameters, in the spelling of `snd_pcm_hw_params_set_*`. Times are in µs, sizes in frames. */
export type HwField =
  | "channels"
  | "rate"
  | "period_size"
  | "buffer_size"
  | "periods"
  | "period_time"
  | "buffer_time";

/** Fields whose values are exact, so that their functions have no `dir`. */
const exact: ReadonlySet<HwField> = new Set(["channels", "buffer_size"]);
/** Fields that are `snd_pcm_uframes_t`, 64 bits; the others are `unsigned int`. */
const wide: ReadonlySet<HwField> = new Set(["period_size", "buffer_size"]);

/** Fields whose values may lie between two whole numbers. */
const fractional: ReadonlySet<HwField> = new Set(["period_time", "buffer_time"]);

/** Allocates one of ALSA's opaque structures. */
export function allocate(malloc: (ptr: BigUint64Array<ArrayBuffer>) => number, call: string): Pointer {
  const out = new BigUint64Array(1);
  check(malloc(out), call);
  return Deno.UnsafePointer.create(out[0])!;
}

/** What a PCM could be set up as. Values that a setter rounds come back as its result. */
export class HwParams implements Disposable {
  readonly #pcm: Pointer;
  #params: Deno.PointerValue;
  // unsigned int and snd_pcm_uframes_t results alike: on little-endian machines the low half is the same
  readonly #value = new BigUint64Array(1);
  readonly #dir = new Int32Array(1);

  /** The full space of `pcm` (a `snd_pcm_t *`), which must outlive this object. */
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

  /** A copy to try things on. */
  copy(): HwParams {
    const copy = new HwParams(this.#pcm);
    libasound().snd_pcm_hw_params_copy(copy.pointer, this.pointer);
    return copy;
  }

  /** Narrows every parameter to what the others leave of it. Throws EINVAL if nothing is left. */
  refine(): void {
    check(libasound().snd_pcm_hw_refine(this.#pcm, this.pointer), "snd_pcm_hw_refine");
  }

  /** `SND_PCM_ACCESS.*`. */
  setAccess(access: number): void {
    const result = libasound().snd_pcm_hw_params_set_access(this.#pcm, this.pointer, access);
    check(result, `snd_pcm_hw_params_set_access ${access}`);
  }

  testAccess(access: number): boolean {
    return libasound().snd_pcm_hw_params_test_access(this.#pcm, this.pointer, access) === 0;
  }

  /** `SND_PCM_FORMAT.*`. */
  setFormat(format: number): void {
    const result = libasound().snd_pcm_hw_params_set_format(this.#pcm, this.pointer, format);
    check(result, `snd_pcm_hw_params_set_format ${format}`);
  }

  testFormat(format: number): boolean {
    return libasound().snd_pcm_hw_params_test_format(this.#pcm, this.pointer, format) === 0;
  }

  /** Every format that is still possible. */
  formats(): number[] {
    return Object.values(SND_PCM_FORMAT).filter((format) => format >= 0 && this.testFormat(format));
  }

  /** Allows (true, ALSA's default) or forbids plugins to convert the rate. */
  setRateResample(allowed: boolean): void {
    const result = libasound().snd_pcm_hw_params_set_rate_resample(this.#pcm, this.pointer, Number(allowed));
    check(result, "snd_pcm_hw_params_set_rate_resample");
  }

  get canPause(): boolean {
    return libasound().snd_pcm_hw_params_can_pause(this.pointer) === 1;
  }

  get canResume(): boolean {
    return libasound().snd_pcm_hw_params_can_resume(this.pointer) === 1;
  }

  /** Whether the card moves whole periods at a time, so that its pointer is only so exact. */
  get isBatch(): boolean {
    return libasound().snd_pcm_hw_params_is_batch(this.pointer) === 1;
  }

  /** Whether exactly `value` is possible. */
  test(field: HwField, value: number): boolean {
    return this.#pass(field, "test", value) === 0;
  }

  /** Narrows `field` to exactly `value`; throws EINVAL if it is not possible. */
  set(field: HwField, value: number): void {
    check(this.#pass(field, "set", value), `snd_pcm_hw_params_set_${field} ${value}`);
  }

  /** Narrows `field` to the possible value nearest to `value`, and returns that. */
  setNear(field: HwField, value: number): number {
    return this.#exchange(field, "set", "_near", value);
  }

  /** Excludes values below `value`; returns the lowest possible one. */
  setMin(field: HwField, value: number): number {
    return this.#exchange(field, "set", "_min", value);
  }

  /** Excludes values above `value`; returns the highest possible one. */
  setMax(field: HwField, value: number): number {
    return this.#exchange(field, "set", "_max", value);
  }

  /** Narrows to the lowest possible value and returns it. */
  setFirst(field: Exclude<HwField, "channels" | "rate">): number {
    return this.#exchange(field, "set", "_first", 0);
  }

  /** Narrows to the highest possible value and returns it. */
  setLast(field: Exclude<HwField, "channels" | "rate">): number {
    return this.#exchange(field, "set", "_last", 0);
  }

  /** The value, once there is only one; throws EINVAL before. */
  get(field: HwField): number {
    return this.#exchange(field, "get", "", 0);
  }

  /** The lowest value that is possible; for a time, which need not be whole, rounded down. */
  min(field: HwField): number {
    return this.#exchange(field, "get", "_min", 0) + (this.#dir[0] > 0 && !fractional.has(field) ? 1 : 0);
  }

  /** The highest value that is possible; for a time rounded up. */
  max(field: HwField): number {
    return this.#exchange(field, "get", "_max", 0) - (this.#dir[0] < 0 && !fractional.has(field) ? 1 : 0);
  }

  #function(field: HwField, verb: "get" | "set" | "test", suffix: string): (...args: unknown[]) => number {
    const name = `snd_pcm_hw_params_${verb}_${field}${suffix}`;
    return (libasound() as unknown as Record<string, (...args: unknown[]) => number>)[name];
  }

  /** Calls a function that takes the value itself. */
  #pass(field: HwField, verb: "set" | "test", value: number): number {
    const dir = exact.has(field) ? [] : [0];
    const argument = wide.has(field) ? BigInt(value) : value;
    return this.#function(field, verb, "")(this.#pcm, this.pointer, argument, ...dir);
  }

  /** Calls a function that takes the value's address, and returns what it left there. */
  #exchange(field: HwField, verb: "get" | "set", suffix: string, value: number): number {
    this.#value[0] = BigInt(value);
    this.#dir[0] = 0;
    const pcm = verb === "set" ? [this.#pcm] : [];
    const dir = exact.has(field) ? [] : [this.#dir];
    const result = this.#function(field, verb, suffix)(...pcm, this.pointer, this.#value, ...dir);
    check(result, `snd_pcm_hw_params_${verb}_${field}${suffix} ${value || ""}`.trimEnd());
    return Number(this.#value[0]);
  }
}

/** The frame counts of {@link SwParams}, in the spelling of `snd_pcm_sw_params_set_*`. */
export type SwField =
  | "avail_min"
  | "start_threshold"
  | "stop_threshold"
  | "silence_threshold"
  | "silence_size";

/** When a PCM starts, stops, wakes its user and fills in silence. */
export class SwParams implements Disposable {
  readonly #pcm: Pointer;
  #params: Deno.PointerValue;

  /** The current ones of `pcm` (a `snd_pcm_t *`), which must outlive this object and be set up. */
  constructor(pcm: Pointer) {
    this.#pcm = pcm;
    this.#params = allocate(libasound().snd_pcm_sw_params_malloc, "snd_pcm_sw_params_malloc");
    const result = libasound().snd_pcm_sw_params_current(pcm, this.#params);
    if (result < 0) {
      this[Symbol.dispose]();
      throw new AlsaError("snd_pcm_sw_params_current", result);
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

  /** The value at which ALSA's own pointers wrap; as a threshold it means "never". */
  get boundary(): bigint {
    const out = new BigUint64Array(1);
    check(libasound().snd_pcm_sw_params_get_boundary(this.pointer, out), "snd_pcm_sw_params_get_boundary");
    return out[0];
  }

  /** Frames; {@link boundary} is allowed for thresholds. */
  set(field: SwField, frames: number | bigint): void {
    const result = libasound()[`snd_pcm_sw_params_set_${field}`](this.#pcm, this.pointer, BigInt(frames));
    check(result, `snd_pcm_sw_params_set_${field} ${frames}`);
  }

  /** Time-stamps of `SND_PCM_TSTAMP_TYPE.*` at each update of the pointer. */
  setTimestamps(type: number): void {
    const lib = libasound();
    check(
      lib.snd_pcm_sw_params_set_tstamp_mode(this.#pcm, this.pointer, 1),
      "snd_pcm_sw_params_set_tstamp_mode",
    );
    check(
      lib.snd_pcm_sw_params_set_tstamp_type(this.#pcm, this.pointer, type),
      "snd_pcm_sw_params_set_tstamp_type",
    );
  }

  /** Whether each period wakes the poll descriptors, even if `avail_min` is not reached. */
  setPeriodEvent(wake: boolean): void {
    const result = libasound().snd_pcm_sw_params_set_period_event(this.#pcm, this.pointer, Number(wake));
    check(result, "snd_pcm_sw_params_set_period_event");
  }
}
