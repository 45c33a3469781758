/** What the host allows a stream, applied to what its guest asks for. */
import { formatByName, FORMATS, formatsToMask, type HwParam, type OpenRequest } from "../sndif/mod.ts";
import type { StreamParams } from "../vsnd/card.ts";

/** The shortest period, in frames, that a guest is offered: below it a guest does little but take events. */
const MIN_PERIOD_FRAMES = 32;
/** `periods_min` of the Linux frontend. */
const MIN_PERIODS = 2;

/** Why `open` is not allowed, or undefined if it is. Every field of it is the guest's own. */
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

/** Cuts `param` down to `allowed`. An interval whose minimum ends above its maximum is empty: nothing fits. */
export function narrow(param: HwParam, allowed: StreamParams): void {
  const codes = allowed.formats.map((name) => formatByName(name)?.code).filter((code) => code !== undefined);
  param.formatsLow = (param.formatsLow & formatsToMask(codes)) >>> 0;
  param.formatsHigh = 0;
  const rates = allowed.rates.filter((rate) => rate >= param.rates.min && rate <= param.rates.max);
  clip(param.rates, Math.min(0xffffffff, ...rates), Math.max(0, ...rates));
  clip(param.channels, allowed.channelsMin, allowed.channelsMax);
  const smallestFrame = Math.max(1, param.channels.min) * Math.min(
    ...FORMATS.filter(({ code, octets }) => octets !== undefined && (param.formatsLow >>> code & 1) === 1)
      .map(({ octets }) => octets!),
  );
  const bufferFrames = Number.isFinite(smallestFrame)
    ? Math.floor(allowed.bufferSizeBytes / smallestFrame)
    : 0;
  clip(param.buffer, MIN_PERIOD_FRAMES * MIN_PERIODS, bufferFrames);
  clip(param.period, MIN_PERIOD_FRAMES, Math.floor(bufferFrames / MIN_PERIODS));
}

function clip(interval: { min: number; max: number }, min: number, max: number): void {
  interval.min = Math.max(interval.min, min);
  interval.max = Math.min(interval.max, max);
}
