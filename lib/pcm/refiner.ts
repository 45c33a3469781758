// SPDX-License-Identifier: MIT
/**
 * Answers HW_PARAM_QUERY: narrows the guest's parameters to those that the device can do. A guest queries some dozens of times
 * while a program sets its parameters. So the engine asks the device itself, through a handle that the main thread has opened.
 */
import { AlsaError } from "../../ffi/alsa/alsa_error.ts";
import { SND_PCM_ACCESS } from "../../ffi/alsa/libasound.ts";
import { HwRanges } from "../../ffi/alsa/snd_pcm_hw_ranges.ts";
import {
  formatByCode,
  FORMATS,
  type HwParam,
  type Interval,
  type SampleFormat,
  XEN_EINVAL,
  XEN_ENODEV,
} from "../sndif/mod.ts";
import { PcmError } from "./pcm_error.ts";

/** The source of answers: an open ALSA PCM, by the address of its `snd_pcm_t`, or fixed capabilities. */
export type RefinerDescriptor =
  | { readonly kind: "alsa"; readonly pcm: string }
  | {
    readonly kind: "known";
    readonly formatsLow: number;
    readonly rates: Interval;
    readonly channels: Interval;
  };

export interface Refiner {
  /**
   * Narrows `param`'s formats, rates and channels to those that the device can do together. Leaves the sizes, which the engine
   * decides on. Allocates nothing unless it fails. Throws {@link PcmError}: EINVAL if nothing is left, ENODEV if the device cannot
   * be asked.
   */
  refine(param: HwParam): void;
}

/** The refiner of a descriptor, for the calling thread. */
export function refinerOf(descriptor: RefinerDescriptor): Refiner {
  return descriptor.kind === "alsa" ? new AlsaRefiner(descriptor.pcm) : {
    refine(param) {
      param.formatsLow = (param.formatsLow & descriptor.formatsLow) >>> 0;
      restrict(param.rates, descriptor.rates);
      restrict(param.channels, descriptor.channels);
    },
  };
}

function restrict(interval: Interval, { min, max }: Interval): void {
  interval.min = Math.max(interval.min, min);
  interval.max = Math.min(interval.max, max);
}

/** This thread's, made at its first question. */
let ranges: HwRanges | undefined;

class AlsaRefiner implements Refiner {
  readonly #pcm: NonNullable<Deno.PointerValue>;

  constructor(address: string) {
    this.#pcm = Deno.UnsafePointer.create(BigInt(address))!;
  }

  refine(param: HwParam): void {
    try {
      refineBy(ranges ??= new HwRanges(), this.#pcm, param);
    } catch (error) {
      if (!(error instanceof AlsaError)) throw error;
      const errno = error.code === -XEN_EINVAL ? XEN_EINVAL : XEN_ENODEV;
      throw new PcmError(`it cannot do the requested parameters: ${error.message}`, errno);
    }
  }
}

function refineBy(space: HwRanges, pcm: NonNullable<Deno.PointerValue>, param: HwParam): void {
  space.begin(pcm);
  space.setAccess(SND_PCM_ACCESS.RW_INTERLEAVED);
  space.limitRate(param.rates.min, param.rates.max);
  space.limitChannels(param.channels.min, param.channels.max);
  const only = onlyFormat(param.formatsLow);
  // A device's rates and channels may depend on the format.
  if (only !== undefined) space.setFormat(only.alsaFormat);
  param.formatsLow = possibleFormats(space, param.formatsLow);
  if (param.formatsLow === 0) throw new PcmError("it has none of the requested formats", XEN_EINVAL);
  param.rates.min = space.rateMin;
  param.rates.max = space.rateMax;
  param.channels.min = space.channelsMin;
  param.channels.max = space.channelsMax;
}

/** The format whose bit is the only one set in `mask`; undefined if there are more bits, or none, or the bit is unknown. */
function onlyFormat(mask: number): SampleFormat | undefined {
  const code = 31 - Math.clz32(mask);
  return mask === (1 << code) >>> 0 ? formatByCode(code) : undefined;
}

/** The bits of `mask` whose formats are known and possible. */
function possibleFormats(space: HwRanges, mask: number): number {
  let possible = 0;
  for (let code = 0; code < FORMATS.length; code++) {
    if ((mask >>> code & 1) === 1 && space.testFormat(FORMATS[code]!.alsaFormat)) possible |= 1 << code;
  }
  return possible >>> 0;
}
