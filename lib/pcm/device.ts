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

/** A card that cannot do what was asked. */
export class PcmError extends Error {
  override name = "PcmError";
  /** @param errno `XEN_E*`, positive: what the guest is answered */
  constructor(message: string, readonly errno: number, options?: ErrorOptions) {
    super(message, options);
  }
}

/** Pointer updates of the card that go into one period of the guest; see `PositionReporter`. */
const CARD_PERIODS_A_PERIOD = 8;

/**
 * The card period, in frames, that paces a guest's events well: an eighth of the guest's period; of one that is short (up
 * to 32 ms) a quarter or 4 ms, which is as far as a position may be off, and never less than a millisecond: interrupts cost, and tell
 * little more.
 */
export function cardPeriodFrames({ rate, periodFrames, bufferFrames }: PcmRequest): number {
  const period = periodFrames > 0 ? periodFrames : bufferFrames / 4;
  const millisecond = Math.ceil(rate / 1000);
  return Math.max(
    Math.floor(period / CARD_PERIODS_A_PERIOD),
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
