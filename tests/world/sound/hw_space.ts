// SPDX-License-Identifier: MIT
/**
 * The configurations that a device has left (`snd_pcm_hw_params_t`). A device has one or more alternatives, each of which allows
 * some formats with some rates and channels, as the alternate settings of a USB card do; a setter leaves the alternatives that
 * allow its value.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";

/** A set of numbers: all between two bounds, or some. */
export type Numbers = readonly [least: number, most: number] | { readonly of: readonly number[] };

export interface Alternative {
  /** ALSA's numbers. */
  readonly formats: readonly number[];
  /** Hz. */
  readonly rates: Numbers;
  readonly channels: Numbers;
}

/** What a device can do in one direction. Sizes in frames. */
export interface Capabilities {
  readonly alternatives: readonly Alternative[];
  readonly bufferFrames: readonly [least: number, most: number];
  readonly periodFrames: readonly [least: number, most: number];
  /** Sizes are multiples of this. */
  readonly stepFrames?: number;
  /** The buffer is a whole number of periods. */
  readonly wholePeriods?: boolean;
  readonly canPause?: boolean;
}

/** One configuration. */
export interface Configuration {
  readonly format: number;
  readonly rate: number;
  readonly channels: number;
  readonly bufferFrames: number;
  readonly periodFrames: number;
}

/** A configuration space. Setters return 0, or -EINVAL if nothing would be left; then the space stays as it was. */
export class HwSpace {
  #alternatives: readonly Alternative[] = [];
  #capabilities: Capabilities | undefined;
  #buffer: readonly [number, number] = [0, 0];
  #period: readonly [number, number] = [0, 0];

  /** Everything that `capabilities` allow. */
  begin(capabilities: Capabilities): void {
    this.#capabilities = capabilities;
    this.#alternatives = capabilities.alternatives;
    this.#buffer = capabilities.bufferFrames;
    this.#period = capabilities.periodFrames;
  }

  get canPause(): boolean {
    return this.#capabilities?.canPause ?? false;
  }

  #keep(alternatives: readonly (Alternative | undefined)[]): number {
    const left = alternatives.filter((alternative) => alternative !== undefined);
    if (left.length === 0) return -ERRNO.EINVAL;
    this.#alternatives = left;
    return 0;
  }

  testFormat(format: number): number {
    return this.#alternatives.some(({ formats }) => formats.includes(format)) ? 0 : -ERRNO.EINVAL;
  }

  setFormat(format: number): number {
    return this.#keep(
      this.#alternatives.map((one) =>
        one.formats.includes(format) ? { ...one, formats: [format] } : undefined
      ),
    );
  }

  limitRate(least: number, most: number): number {
    return this.#keep(this.#alternatives.map((one) => {
      const rates = within(one.rates, least, most);
      return rates && { ...one, rates };
    }));
  }

  limitChannels(least: number, most: number): number {
    return this.#keep(this.#alternatives.map((one) => {
      const channels = within(one.channels, least, most);
      return channels && { ...one, channels };
    }));
  }

  get rates(): readonly [number, number] {
    return hull(this.#alternatives.map(({ rates }) => rates));
  }

  get channels(): readonly [number, number] {
    return hull(this.#alternatives.map(({ channels }) => channels));
  }

  /** Sets the possible size that is nearest to `frames`, the lower of two; returns that size, or -EINVAL. */
  setBufferNear(frames: number): number {
    const chosen = nearest(frames, this.#buffer, (buffer) => this.#isSize(buffer) && this.#hasPeriod(buffer));
    if (chosen > 0) this.#buffer = [chosen, chosen];
    return chosen;
  }

  /** As {@link setBufferNear}. */
  setPeriodNear(frames: number): number {
    const [least, most] = this.#buffer;
    const chosen = nearest(frames, this.#period, (period) => {
      if (!this.#isSize(period) || period * 2 > most) return false;
      return !this.#wholePeriods || least !== most || least % period === 0;
    });
    if (chosen > 0) this.#period = [chosen, chosen];
    return chosen;
  }

  get #wholePeriods(): boolean {
    return this.#capabilities?.wholePeriods ?? false;
  }

  #isSize(frames: number): boolean {
    return frames % (this.#capabilities?.stepFrames ?? 1) === 0;
  }

  /** Whether a buffer of `buffer` frames has a period size that is possible. */
  #hasPeriod(buffer: number): boolean {
    const [least, most] = this.#period;
    const step = this.#capabilities?.stepFrames ?? 1;
    if (!this.#wholePeriods) return Math.ceil(least / step) * step <= Math.min(most, buffer / 2);
    for (let periods = 2; periods <= buffer / least; periods++) {
      const period = buffer / periods;
      if (Number.isInteger(period) && period >= least && period <= most && this.#isSize(period)) return true;
    }
    return false;
  }

  /** One configuration out of those that are left: the first format, the lowest rate, the largest buffer; undefined if none is. */
  choose(): Configuration | undefined {
    const [first] = this.#alternatives;
    const format = first?.formats[0];
    if (first === undefined || format === undefined) return undefined;
    const [rate] = hull([first.rates]);
    const [channels] = hull([first.channels]);
    const bufferFrames = this.setBufferNear(this.#buffer[1]);
    const periodFrames = bufferFrames < 0 ? bufferFrames : this.setPeriodNear(this.#period[0]);
    if (periodFrames < 0) return undefined;
    return { format, rate, channels, bufferFrames, periodFrames };
  }
}

function within(numbers: Numbers, least: number, most: number): Numbers | undefined {
  if ("of" in numbers) {
    const of = numbers.of.filter((number) => number >= least && number <= most);
    return of.length === 0 ? undefined : { of };
  }
  const [low, high] = [Math.max(numbers[0], least), Math.min(numbers[1], most)];
  return low > high ? undefined : [low, high];
}

function hull(sets: readonly Numbers[]): readonly [number, number] {
  const ends = sets.flatMap((numbers) => "of" in numbers ? numbers.of : numbers);
  return [Math.min(...ends), Math.max(...ends)];
}

/** The number from `least` to `most` that is possible and nearest to `wanted`, the lower of two; -EINVAL if there is none. */
function nearest(
  wanted: number,
  [least, most]: readonly [number, number],
  isPossible: (number: number) => boolean,
): number {
  const from = Math.max(least, Math.min(most, wanted));
  for (let distance = 0; distance <= most - least; distance++) {
    if (from - distance >= least && isPossible(from - distance)) return from - distance;
    if (from + distance <= most && isPossible(from + distance)) return from + distance;
  }
  return -ERRNO.EINVAL;
}
