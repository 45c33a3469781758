// SPDX-License-Identifier: MIT
/**
 * A device as the main thread uses it: asking for its capabilities, opening, closing. All calls that may take long are here, off
 * the engine's thread. The result is a {@link PcmDescriptor}, which the engine turns into a `Pcm`.
 */
import type { PcmDescriptor } from "./descriptor.ts";
import type { PcmParams } from "./pcm.ts";
import type { RefinerDescriptor } from "./refiner.ts";

/** The parameters of a guest's OPEN, checked and allowed. A period of 0: the guest wants no events. */
export type PcmRequest = Omit<PcmParams, "direction">;

/** An open device. The engine stops using the device before {@link close} is called. */
export interface OpenDevice {
  readonly descriptor: PcmDescriptor;
  /** Faults of a device that works all the same, for the log. */
  readonly warnings?: readonly string[];
  close(): Promise<void>;
}

/** A device by its name. Callers await each call before the next. */
export interface PcmDevice {
  /** Whether a lost device may return by itself. */
  readonly comesBack: boolean;
  /** Loads all that would make the first use slow, without opening the device. Never fails: the first use reports the failure. */
  warmUp(): Promise<void>;
  /** A descriptor for questions about capabilities, until {@link closeProbe}, {@link open} or a close. Throws {@link PcmError}. */
  probe(): Promise<RefinerDescriptor>;
  /** Closes the handle of {@link probe}: a guest that merely asks must not occupy an exclusive device. */
  closeProbe(): Promise<void>;
  /** Throws {@link PcmError}. */
  open(request: PcmRequest): Promise<OpenDevice>;
}
