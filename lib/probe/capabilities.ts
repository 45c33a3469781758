// SPDX-License-Identifier: MIT
/** Asking a device for its formats, rates and channels: `probe` prints them, `check --probe` compares a configuration with them. */
import { PcmError } from "../pcm/pcm_error.ts";
import type { Refiner } from "../pcm/refiner.ts";
import { formatByName, formatsToMask, HwParam, maskToFormats, XEN_EINVAL } from "../sndif/mod.ts";
import { Limits, LINUX_RATES } from "../vsnd/model/card.ts";
import { SERVED_FORMATS } from "../vsnd/model/param_nodes.ts";

export interface Capabilities {
  /** The served formats that the device has, by names of sndif.h. */
  readonly formats: readonly string[];
  /** In Hz, the rates that both the device and the Linux frontend have. */
  readonly rates: readonly number[];
  readonly channelsMin: number;
  /** At most the number that sndif can express. */
  readonly channelsMax: number;
}

/**
 * Asks the device for each format, each rate and the channels separately. A device may still refuse a combination of two. Throws
 * {@link PcmError} if the device cannot be asked.
 */
export function capabilitiesOf(refiner: Refiner): Capabilities {
  const { formatsLow, channels } = refined(refiner, everything()) ?? everything();
  const possible = maskToFormats(formatsLow).map(({ name }) => name);
  return {
    formats: SERVED_FORMATS.filter((name) => possible.includes(name)).filter((name) => {
      const param = everything();
      param.formatsLow = formatsToMask([formatByName(name)!.code]);
      return refined(refiner, param) !== undefined;
    }),
    rates: LINUX_RATES.filter((rate) => {
      const param = everything();
      Object.assign(param.rates, { min: rate, max: rate });
      return refined(refiner, param) !== undefined;
    }),
    channelsMin: Math.max(1, channels.min),
    channelsMax: Math.min(channels.max, Limits.channels),
  };
}

/** `param` as the device narrows it; undefined if nothing is left. */
function refined(refiner: Refiner, param: HwParam): HwParam | undefined {
  try {
    refiner.refine(param);
  } catch (error) {
    if (error instanceof PcmError && error.errno === XEN_EINVAL) return undefined;
    throw error;
  }
  const { formatsLow, rates, channels } = param;
  return formatsLow !== 0 && rates.min <= rates.max && channels.min <= channels.max ? param : undefined;
}

/** A parameter space without restrictions. */
export function everything(): HwParam {
  const param = new HwParam();
  param.formatsLow = 0xffffffff;
  for (const interval of [param.rates, param.channels, param.buffer, param.period]) interval.max = 0xffffffff;
  return param;
}
