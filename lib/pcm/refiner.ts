// SPDX-License-Identifier: MIT
/**
 * What a card can do, for the answer to HW_PARAM_QUERY. A guest asks some dozens of times while a program sets its
 * parameters, so the engine asks the card itself, through a handle that the main thread has opened.
 */
import { AlsaError } from "../../ffi/alsa/alsa_error.ts";
import { SND_PCM_ACCESS } from "../../ffi/alsa/libasound.ts";
import { HwRanges } from "../../ffi/alsa/snd_pcm_hw_ranges.ts";
import { FORMATS, type HwParam, type Interval, XEN_EINVAL, XEN_ENODEV } from "../sndif/mod.ts";
import { PcmError } from "./pcm_error.ts";

/** An open ALSA PCM, by the address of its `snd_pcm_t`; or what is known beforehand. */
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
   * Leaves of `param`'s formats, rates and channels what the card can do together. Sizes are the engine's affair, not the card's.
   * Allocates nothing unless it fails. Throws {@link PcmError}: EINVAL if nothing is left, ENODEV if the card cannot be asked.
   */
  refine(param: HwParam): void;
}

/** The refiner of a descriptor, for the thread that calls this. */
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

/** This thread's, made for its first question. */
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
      throw new PcmError(`it cannot do what is asked for: ${error.message}`, errno);
    }
  }
}

function refineBy(space: HwRanges, pcm: NonNullable<Deno.PointerValue>, param: HwParam): void {
  space.begin(pcm);
  space.setAccess(SND_PCM_ACCESS.RW_INTERLEAVED);
  space.limitRate(param.rates.min, param.rates.max);
  space.limitChannels(param.channels.min, param.channels.max);
  const asked = onlyFormat(param.formatsLow);
  // A card's rates and channels may depend on the format.
  if (asked >= 0) space.setFormat(FORMATS[asked].alsaFormat);
  param.formatsLow = possibleFormats(space, param.formatsLow);
  if (param.formatsLow === 0) throw new PcmError("it has none of the formats that are asked for", XEN_EINVAL);
  param.rates.min = space.rateMin;
  param.rates.max = space.rateMax;
  param.channels.min = space.channelsMin;
  param.channels.max = space.channelsMax;
}

/** The code of the one known format whose bit is set in `mask`; -1 if it is not one. */
function onlyFormat(mask: number): number {
  const code = 31 - Math.clz32(mask);
  return code >= 0 && code < FORMATS.length && mask === (1 << code) >>> 0 ? code : -1;
}

/** The bits of `mask` whose formats are known and still possible. */
function possibleFormats(space: HwRanges, mask: number): number {
  let possible = 0;
  for (let code = 0; code < FORMATS.length; code++) {
    if ((mask >>> code & 1) === 1 && space.testFormat(FORMATS[code].alsaFormat)) possible |= 1 << code;
  }
  return possible >>> 0;
}
