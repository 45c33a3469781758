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
export interface OpenDevice {
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
  open(request: PcmRequest): Promise<OpenDevice>;
}
