// SPDX-License-Identifier: MIT
/** What a device really can do: what `probe` prints, and what `check --probe` holds a configuration against. */
import { PcmError } from "../pcm/pcm_error.ts";
import type { Refiner } from "../pcm/refiner.ts";
import { formatByName, formatsToMask, HwParam, maskToFormats, XEN_EINVAL } from "../sndif/mod.ts";
import { Limits, LINUX_RATES } from "../vsnd/model/card.ts";
import { SERVED_FORMATS } from "../vsnd/model/param_nodes.ts";

export interface Capabilities {
  /** Names as in sndif.h, of those that can be served. */
  readonly formats: readonly string[];
  /** Hz, of those that the Linux frontend knows. */
  readonly rates: readonly number[];
  readonly channelsMin: number;
  /** Of those that sndif can say. */
  readonly channelsMax: number;
}

/**
 * Asks for each format, for each rate and for the channels by themselves; that a card can do each of two things does not say
 * that it can do both at once. Throws {@link PcmError} if it cannot be asked.
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

/** What is left of `param`; undefined if nothing is. */
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

/** A question that leaves everything open. */
export function everything(): HwParam {
  const param = new HwParam();
  param.formatsLow = 0xffffffff;
  for (const interval of [param.rates, param.channels, param.buffer, param.period]) interval.max = 0xffffffff;
  return param;
}
