// SPDX-License-Identifier: MIT
/**
 * Where the fields of xsnd's own records stand in their bodies, in octets; little-endian. The engine writes by these
 * tables and `trace_format.ts` reads by them. Bodies of requests, responses and events are those of sndif.h.
 */

/** A `position` record: f64 frames, then u32. */
export const POSITION_AT = {
  positionFrames: 0,
  guestFrames: 8,
  cardFrames: 16,
  lateFrames: 24,
  xruns: 32,
  hostXruns: 36,
  /** Index in `STREAM_STATES`. */
  state: 40,
  /** Index in `HOLDS`. */
  hold: 44,
  /** 1 while the device is lost. */
  cardLost: 48,
} as const;
export const POSITION_BYTES = 52;

/** An `xrun` record: three f64, then two u32. */
export const XRUN_AT = {
  fromFrame: 0,
  frames: 8,
  seconds: 16,
  /** 1 if the host caused the xrun. */
  isHosts: 24,
  /** 1 if the xrun has ended. */
  isOver: 28,
} as const;
export const XRUN_BYTES = 32;

/** A `parameters` record: a u32 each, named as in the daemon's status table. `format` is sndif.h's number. */
export const PARAMETERS_FIELDS = [
  "rate",
  "channels",
  "format",
  "bufferFrames",
  "periodFrames",
  "cardBufferFrames",
  "cardPeriodFrames",
] as const;
export const PARAMETERS_BYTES = 4 * PARAMETERS_FIELDS.length;

/** A `lost` record: u32, the number of missing records. */
export const LOST_BYTES = 4;
