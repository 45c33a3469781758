// SPDX-License-Identifier: MIT
/**
 * The parameter space of a guest's PCM, and its refinement (sound/core/pcm_native.c, `snd_pcm_hw_refine`; `alsa_hw_rule` of
 * sound/xen/xen_snd_front_alsa.c). Each of the driver's five rules is a HW_PARAM_QUERY, and runs again until it changes nothing.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { formatByName, HwParam, type Interval, knownFormat } from "../../../lib/sndif/mod.ts";
import type { StreamParams } from "../../../lib/vsnd/model/card.ts";
import type { Blocking } from "./tasks.ts";

/** MIN_PERIOD_SIZE of xen_snd_front_cfg.c, octets. */
const MIN_PERIOD_BYTES = 64;
/** FORMAT, RATE, CHANNELS, PERIOD_SIZE, BUFFER_SIZE. */
const RULES = 5;

/** What a program wants; sizes in frames. */
export interface PcmConfig {
  /** `XENSND_PCM_FORMAT_*`. */
  readonly format: number;
  readonly rate: number;
  readonly channels: number;
  readonly bufferFrames: number;
  readonly periodFrames: number;
}

export function frameBytesOf({ format, channels }: Pick<PcmConfig, "format" | "channels">): number {
  return (knownFormat(format).octets ?? 1) * channels;
}

/** `cfg_read_pcm_hw`, and the constraints that the core makes of that. */
export function spaceOf(params: StreamParams): HwParam {
  const space = new HwParam();
  const octets: number[] = [];
  for (const name of params.formats) {
    const format = formatByName(name);
    if (format === undefined) continue;
    space.formatsLow = (space.formatsLow | 1 << format.code) >>> 0;
    octets.push(format.octets ?? 1);
  }
  set(space.rates, Math.min(...params.rates), Math.max(...params.rates));
  set(space.channels, params.channelsMin, params.channelsMax);
  const least = Math.min(...octets) * params.channelsMin;
  const most = Math.max(...octets) * params.channelsMax;
  const buffer = Math.floor(params.bufferSizeBytes / least);
  set(space.period, Math.max(1, Math.floor(MIN_PERIOD_BYTES / most)), buffer);
  set(space.buffer, 2 * space.period.min, buffer);
  return space;
}

function set(interval: Interval, min: number, max: number): void {
  interval.min = min;
  interval.max = max;
}

/** The configuration nearest to `wanted` that lies in `space`, as `snd_pcm_hw_params_set_*_near` find it. */
export function nearest({ rates, channels, buffer, period }: HwParam, wanted: PcmConfig): PcmConfig {
  const periodFrames = clamp(wanted.periodFrames, period);
  return {
    format: wanted.format,
    rate: clamp(wanted.rate, rates),
    channels: clamp(wanted.channels, channels),
    periodFrames,
    // At least two periods, if the buffer can have them.
    bufferFrames: clamp(Math.max(2 * periodFrames, clamp(wanted.bufferFrames, buffer)), buffer),
  };
}

function clamp(value: number, { min, max }: Interval): number {
  return Math.min(Math.max(value, min), max);
}

/** Restricts `space` to one configuration. Returns whether that lies within. */
export function restrict(space: HwParam, config: PcmConfig): boolean {
  space.formatsLow = (space.formatsLow & 1 << config.format) >>> 0;
  space.formatsHigh = 0;
  return space.formatsLow !== 0 && pin(space.rates, config.rate) && pin(space.channels, config.channels) &&
    pin(space.buffer, config.bufferFrames) && pin(space.period, config.periodFrames);
}

function pin(interval: Interval, value: number): boolean {
  const fits = interval.min <= value && value <= interval.max;
  set(interval, value, value);
  return fits;
}

/** Asks the backend what is left of `space`: 0 with the answer in `answer`, or -errno. */
export type AskBackend = (space: HwParam, answer: HwParam) => Blocking<number>;

const answer = new HwParam();

/** `snd_pcm_hw_refine`: 0, or -errno. */
export function* refine(space: HwParam, ask: AskBackend): Blocking<number> {
  const isDue = new Array<boolean>(RULES).fill(true);
  for (let again = true; again;) {
    again = false;
    for (let rule = 0; rule < RULES; rule++) {
      if (!isDue[rule]) continue;
      const status = yield* ask(space, answer);
      const changed = status < 0 ? status : narrow(space, answer);
      if (changed < 0) return changed;
      isDue[rule] = changed > 0;
      again ||= changed > 0;
    }
  }
  return 0;
}

/** `snd_mask_refine` and `snd_interval_refine`: 1 if `space` has changed, 0 if not, -EINVAL if nothing is left. */
function narrow(space: HwParam, { formatsLow, rates, channels, buffer, period }: HwParam): number {
  const formats = (space.formatsLow & formatsLow) >>> 0;
  if (formats === 0) return -ERRNO.EINVAL;
  let changed = formats === space.formatsLow ? 0 : 1;
  space.formatsLow = formats;
  const pairs: readonly [Interval, Interval][] = [
    [space.rates, rates],
    [space.channels, channels],
    [space.buffer, buffer],
    [space.period, period],
  ];
  for (const [mine, its] of pairs) {
    const min = Math.max(mine.min, its.min);
    const max = Math.min(mine.max, its.max);
    if (min > max) return -ERRNO.EINVAL;
    if (min !== mine.min || max !== mine.max) changed = 1;
    set(mine, min, max);
  }
  return changed;
}
