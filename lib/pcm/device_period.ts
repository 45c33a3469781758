// SPDX-License-Identifier: MIT
/** How often a device reports its pointer: the period that it is opened with, by the period that the guest asks for. */
import type { PcmRequest } from "./device.ts";

/** As far as a guest's idea of the position may be off, in ms, where that is no more than half of its period. */
const POSITION_MS = 6;
/** Pointer updates of a card that go into one period of the guest, at least and at most; see `PositionFeed`. */
const [LEAST_UPDATES, MOST_UPDATES] = [2, 8];

const guestPeriod = ({ periodFrames, bufferFrames }: PcmRequest) =>
  periodFrames > 0 ? periodFrames : bufferFrames / 4;

/**
 * The card period, in frames, that paces a guest's events well: a part of the guest's period, so that one of the card's
 * interrupts is at its end; not less than a millisecond: interrupts cost, and tell little more.
 */
export function devicePeriodFrames(request: PcmRequest): number {
  const period = guestPeriod(request);
  const millisecond = Math.ceil(request.rate / 1000);
  const updates = Math.ceil(period / (POSITION_MS * millisecond));
  return Math.max(Math.floor(period / Math.min(Math.max(updates, LEAST_UPDATES), MOST_UPDATES)), millisecond);
}

/**
 * How often, in frames, a PCM is looked at that has no interrupts: it is always given some of these periods ahead, which are to
 * be no more than one of the guest's.
 */
export function pollPeriodFrames(request: PcmRequest): number {
  const period = guestPeriod(request);
  const millisecond = Math.ceil(request.rate / 1000);
  return Math.max(
    Math.floor(period / 8),
    Math.min(Math.floor(period / 4), 4 * millisecond),
    millisecond,
  );
}
