// SPDX-License-Identifier: MIT
/** How often a device reports its pointer: the period that it is opened with, by the period that the guest asks for. */
import type { PcmRequest } from "./device.ts";

/** The most that the position told to a guest may be off, in ms, unless half of the guest's period is less. */
const POSITION_MS = 6;
/** The least and the most device periods in one period of the guest; the engine reports the position after each. */
const [LEAST_UPDATES, MOST_UPDATES] = [2, 8];

const guestPeriod = ({ periodFrames, bufferFrames }: PcmRequest) =>
  periodFrames > 0 ? periodFrames : bufferFrames / 4;

/**
 * The period, in frames, for a device with interrupts. The guest's period is a multiple of it, so that a device interrupt falls on
 * the end of each of the guest's periods. At least a millisecond: more interrupts cost time and gain little.
 */
export function devicePeriodFrames(request: PcmRequest): number {
  const period = guestPeriod(request);
  const millisecond = Math.ceil(request.rate / 1000);
  const updates = Math.ceil(period / (POSITION_MS * millisecond));
  return Math.max(Math.floor(period / Math.min(Math.max(updates, LEAST_UPDATES), MOST_UPDATES)), millisecond);
}

/**
 * The interval, in frames, at which the engine reads the pointer of a device without interrupts. The engine keeps four of these
 * intervals queued (`KEEP_AHEAD`), which together should be no longer than the guest's period, and are half of the device's buffer at
 * most: the engine may be late by the other half.
 *
 * @param request with the size of the device's buffer, which may be another one than the guest's
 */
export function pollPeriodFrames(request: PcmRequest): number {
  const period = guestPeriod(request);
  const millisecond = Math.ceil(request.rate / 1000);
  const wanted = Math.max(Math.floor(period / 8), Math.min(Math.floor(period / 4), 4 * millisecond));
  return Math.max(Math.min(wanted, request.bufferFrames >> 3), millisecond);
}
