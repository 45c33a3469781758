// SPDX-License-Identifier: MIT
/**
 * A card's PCM as the main thread deals with it: what it can do, opening and closing it. All that can take long is
 * here, off the engine's thread; what comes out is a {@link PcmDescriptor} that the engine turns into a `Pcm`.
 */
import type { PcmDescriptor } from "./descriptor.ts";
import type { PcmParams } from "./pcm.ts";
import type { RefinerDescriptor } from "./refiner.ts";

/** What a guest's OPEN asks for, already found to be allowed and consistent. A period of 0: the guest wants no events. */
export type PcmRequest = Omit<PcmParams, "direction">;

/** An open card. The engine has let go of it before {@link close} is called. */
export interface OpenCard {
  readonly descriptor: PcmDescriptor;
  /** Faults that do not keep the card from being used, for the log. */
  readonly warnings?: readonly string[];
  close(): Promise<void>;
}

/** Calls of one device follow each other: none begins before the last one has ended. */
export interface PcmDevice {
  /** Whether a card that was lost may be there again by itself. */
  readonly comesBack: boolean;
  /** Does beforehand what would make the first use slow, without touching the card. Never fails: the first use will. */
  warmUp(): Promise<void>;
  /** What can be asked about the device's parameters, until {@link closeProbe}, {@link open} or a close. Throws {@link PcmError}. */
  probe(): Promise<RefinerDescriptor>;
  /** Gives up the handle that {@link probe} keeps: an exclusive card must not be held by a guest that merely asks. */
  closeProbe(): Promise<void>;
  /** Throws {@link PcmError}. */
  open(request: PcmRequest): Promise<OpenCard>;
}

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
export function cardPeriodFrames(request: PcmRequest): number {
  const period = guestPeriod(request);
  const millisecond = Math.ceil(request.rate / 1000);
  const updates = Math.ceil(period / (POSITION_MS * millisecond));
  return Math.max(Math.floor(period / Math.min(Math.max(updates, LEAST_UPDATES), MOST_UPDATES)), millisecond);
}

/**
 * How often, in frames, a PCM is looked at that has no interrupts: it is always given some of these periods ahead, which are to
 * be no more than one of the guest's.
 */
export function lookFrames(request: PcmRequest): number {
  const period = guestPeriod(request);
  const millisecond = Math.ceil(request.rate / 1000);
  return Math.max(
    Math.floor(period / 8),
    Math.min(Math.floor(period / 4), 4 * millisecond),
    millisecond,
  );
}

/** PCMs that are the kernel's, or nothing but computation: the dummy card, hw, plughw, null. */
const NEVER_WAITS = /^(dummy:|(plug)?hw(:|$)|null$)/;

/** Whether a call to the device of this name may wait for another process, as the plugin of a sound server does. */
export function mayWait(name: string): boolean {
  return !NEVER_WAITS.test(name);
}
