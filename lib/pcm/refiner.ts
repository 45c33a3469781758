/**
 * What a card can do, for the answer to HW_PARAM_QUERY. A guest asks some dozens of times while a program sets its
 * parameters, so the engine asks the card itself, through a handle that the main thread has opened.
 */
import { AlsaError, SND_PCM_ACCESS } from "../../ffi/libasound.ts";
import { HwParams } from "../../ffi/libasound_params.ts";
import {
  formatsToMask,
  type HwParam,
  type Interval,
  maskToFormats,
  XEN_EINVAL,
  XEN_ENODEV,
} from "../sndif/mod.ts";
import { PcmError } from "./device.ts";

/** An open ALSA PCM, by the address of its `snd_pcm_t`; or what is known beforehand. */
export type RefinerDescriptor =
  | { readonly kind: "alsa"; readonly pcm: string }
  | {
    readonly kind: "known";
    readonly formatsLow: number;
    readonly rates: Interval;
    readonly channels: Interval;
  };

/**
 * Leaves of `param`'s formats, rates and channels what the card can do together. Sizes are the engine's affair, not the card's.
 * Throws {@link PcmError}: EINVAL if nothing is left, ENODEV if the card cannot be asked.
 */
export function refine(refiner: RefinerDescriptor, param: HwParam): void {
  if (refiner.kind === "alsa") return refineByAlsa(refiner.pcm, param);
  param.formatsLow = (param.formatsLow & refiner.formatsLow) >>> 0;
  restrict(param.rates, refiner.rates);
  restrict(param.channels, refiner.channels);
}

function restrict(interval: Interval, { min, max }: Interval): void {
  interval.min = Math.max(interval.min, min);
  interval.max = Math.min(interval.max, max);
}

function refineByAlsa(address: string, param: HwParam): void {
  try {
    using space = new HwParams(Deno.UnsafePointer.create(BigInt(address))!);
    space.setAccess(SND_PCM_ACCESS.RW_INTERLEAVED);
    narrowTo(space, param);
    const possible = maskToFormats(param.formatsLow).filter(({ alsaFormat }) => space.testFormat(alsaFormat));
    if (possible.length === 0) {
      throw new PcmError("it has none of the formats that are asked for", XEN_EINVAL);
    }
    param.formatsLow = formatsToMask(possible.map(({ code }) => code));
    param.rates.min = space.min("rate");
    param.rates.max = space.max("rate");
    param.channels.min = space.min("channels");
    param.channels.max = space.max("channels");
  } catch (error) {
    if (!(error instanceof AlsaError)) throw error;
    const errno = error.code === -XEN_EINVAL ? XEN_EINVAL : XEN_ENODEV;
    throw new PcmError(`it cannot do what is asked for: ${error.message}`, errno);
  }
}

function narrowTo(space: HwParams, param: HwParam): void {
  space.setMin("rate", param.rates.min);
  space.setMax("rate", param.rates.max);
  space.setMin("channels", param.channels.min);
  space.setMax("channels", param.channels.max);
  const formats = maskToFormats(param.formatsLow);
  if (formats.length === 1) space.setFormat(formats[0].alsaFormat);
}
