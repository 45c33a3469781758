// SPDX-License-Identifier: MIT
/** `struct xensnd_query_hw_param`: the parameters that a stream can have, in HW_PARAM_QUERY and in its response. */

/** An inclusive range. */
export interface Interval {
  /** The least value. */
  min: number;
  /** The greatest value; below `min` the range is empty. */
  max: number;
}

/**
 * Ranges of a stream's parameters. Mutable, so that a hot path decodes into one object that it keeps. `buffer` and `period` are
 * in frames (OPEN has them in octets). `formats` is a bit mask of `1 << XENSND_PCM_FORMAT_*` in two halves; all known formats
 * are in the low half.
 *
 * @example
 * ```ts
 * import { HwParam, formatsToMask, XENSND_PCM_FORMAT_S16_LE } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const param = new HwParam();
 * param.formatsLow = formatsToMask([XENSND_PCM_FORMAT_S16_LE]);
 * param.rates.min = param.rates.max = 48000;
 * assert.equal(param.formatsLow, 4);
 * ```
 */
export class HwParam {
  /** Bits 0 to 31 of `formats`. */
  formatsLow = 0;
  /** Bits 32 to 63 of `formats`. */
  formatsHigh = 0;
  /** Hz. */
  readonly rates: Interval = { min: 0, max: 0 };
  /** Samples in a frame. */
  readonly channels: Interval = { min: 0, max: 0 };
  /** Frames of the buffer. */
  readonly buffer: Interval = { min: 0, max: 0 };
  /** Frames of a period. */
  readonly period: Interval = { min: 0, max: 0 };
}

/** The struct's offset in a request and in a response: both unions begin at octet 8. */
const AT = 8;

/** Writes `param` into the packet at octet `at`. */
export function writeHwParam(view: DataView, at: number, param: HwParam): void {
  view.setUint32(at + AT, param.formatsLow, true);
  view.setUint32(at + AT + 4, param.formatsHigh, true);
  writeInterval(view, at + AT + 8, param.rates);
  writeInterval(view, at + AT + 16, param.channels);
  writeInterval(view, at + AT + 24, param.buffer);
  writeInterval(view, at + AT + 32, param.period);
}

/** Reads the struct of the packet at the view's start. */
export function readHwParam(view: DataView, into: HwParam): void {
  into.formatsLow = view.getUint32(AT, true);
  into.formatsHigh = view.getUint32(AT + 4, true);
  readInterval(view, AT + 8, into.rates);
  readInterval(view, AT + 16, into.channels);
  readInterval(view, AT + 24, into.buffer);
  readInterval(view, AT + 32, into.period);
}

function writeInterval(view: DataView, at: number, interval: Interval): void {
  view.setUint32(at, interval.min, true);
  view.setUint32(at + 4, interval.max, true);
}

function readInterval(view: DataView, at: number, into: Interval): void {
  into.min = view.getUint32(at, true);
  into.max = view.getUint32(at + 4, true);
}
