// SPDX-License-Identifier: MIT
/** Applies the parameters that the host allows a stream to the guest's OPEN and HW_PARAM_QUERY. */
import { formatByName, FORMATS, type HwParam, type Interval, type OpenRequest } from "../sndif/mod.ts";
import type { StreamParams } from "../vsnd/model/card.ts";

/** The shortest period, in frames, that a guest is offered. With a shorter one a guest does little but take events. */
const MIN_PERIOD_FRAMES = 32;
/** `periods_min` of the Linux frontend. */
const MIN_PERIODS = 2;

/** Why `open` is not allowed; undefined if it is. Every field is the guest's, unchecked. */
export function judgeOpen(open: OpenRequest, allowed: StreamParams): string | undefined {
  const format = FORMATS[open.pcmFormat];
  if (format?.octets === undefined || !allowed.formats.includes(format.name)) {
    return `format ${format?.name ?? open.pcmFormat} is not one of ${allowed.formats}`;
  }
  if (!allowed.rates.includes(open.pcmRate)) return `rate ${open.pcmRate} is not one of ${allowed.rates}`;
  if (open.pcmChannels < allowed.channelsMin || open.pcmChannels > allowed.channelsMax) {
    return `${open.pcmChannels} channels are not ${allowed.channelsMin} to ${allowed.channelsMax}`;
  }
  if (open.bufferSz === 0 || open.bufferSz > allowed.bufferSizeBytes) {
    return `a buffer of ${open.bufferSz} octets is not within 1 to ${allowed.bufferSizeBytes}`;
  }
  const frameBytes = format.octets * open.pcmChannels;
  if (open.bufferSz % frameBytes !== 0) {
    return `a buffer of ${open.bufferSz} octets is no whole number of frames`;
  }
  if (open.periodSz % frameBytes !== 0) {
    return `a period of ${open.periodSz} octets is no whole number of frames`;
  }
  if (open.periodSz > open.bufferSz) {
    return `a period of ${open.periodSz} octets does not fit a buffer of ${open.bufferSz}`;
  }
  return undefined;
}

/** Cuts `param` down to `allowed`. An interval whose minimum is above its maximum is empty: nothing fits. Allocates nothing. */
export function narrow(param: HwParam, allowed: StreamParams): void {
  let formats = 0;
  for (const name of allowed.formats) {
    const format = formatByName(name);
    if (format !== undefined) formats |= 1 << format.code;
  }
  param.formatsLow = (param.formatsLow & formats) >>> 0;
  param.formatsHigh = 0;
  narrowRates(param.rates, allowed.rates);
  clip(param.channels, allowed.channelsMin, allowed.channelsMax);
  const frame = smallestFrame(param);
  const bufferFrames = frame === 0 ? 0 : Math.floor(allowed.bufferSizeBytes / frame);
  clip(param.buffer, MIN_PERIOD_FRAMES * MIN_PERIODS, bufferFrames);
  clip(param.period, MIN_PERIOD_FRAMES, Math.floor(bufferFrames / MIN_PERIODS));
}

/** Cuts `asked` down to the range from the lowest to the highest of the `rates` within it. */
function narrowRates(asked: Interval, rates: readonly number[]): void {
  let lowest = 0xffffffff;
  let highest = 0;
  for (const rate of rates) {
    if (rate < asked.min || rate > asked.max) continue;
    lowest = Math.min(lowest, rate);
    highest = Math.max(highest, rate);
  }
  clip(asked, lowest, highest);
}

/** Octets of the smallest frame that `param` has; 0 if it has none. */
function smallestFrame({ formatsLow, channels }: HwParam): number {
  let octets = 0;
  for (const format of FORMATS) {
    if (format.octets === undefined || (formatsLow >>> format.code & 1) === 0) continue;
    if (octets === 0 || format.octets < octets) octets = format.octets;
  }
  return octets * Math.max(1, channels.min);
}

function clip(interval: Interval, min: number, max: number): void {
  interval.min = Math.max(interval.min, min);
  interval.max = Math.min(interval.max, max);
}
