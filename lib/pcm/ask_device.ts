// SPDX-License-Identifier: MIT
/** Asks a device for its capabilities, for commands: opens the device for a moment, and plays nothing. */
import { AlsaDevice } from "./alsa/device.ts";
import { AlsaMessages } from "./alsa/alsa_messages.ts";
import type { PcmDevice } from "./device.ts";
import { PcmError } from "./pcm_error.ts";
import { pcmDevice } from "./open_device.ts";
import type { Direction } from "./pcm.ts";
import { type Refiner, refinerOf } from "./refiner.ts";

/** @param type ALSA's name for the kind of PCM, such as `HW`, `NULL`; undefined for a dummy device */
export type Question<T> = (refiner: Refiner, type: string | undefined) => T;

/**
 * Opens `device`, and returns the result of `ask`. Throws {@link PcmError}, with ALSA's messages, if the device cannot be asked, and
 * LibraryNotFoundError without libasound. One call at a time: see {@link AlsaMessages}.
 */
export async function askDevice<T>(
  device: string,
  direction: Direction,
  ask: Question<T>,
): Promise<T> {
  const pcm = pcmDevice(device, direction);
  if (!(pcm instanceof AlsaDevice)) return await askOpen(pcm, ask);
  using alsa = new AlsaMessages();
  try {
    return await askOpen(pcm, ask);
  } catch (error) {
    if (!(error instanceof PcmError)) throw error;
    throw new PcmError(error.message, error.errno, { cause: error, alsaMessages: alsa.list() });
  }
}

async function askOpen<T>(pcm: PcmDevice, ask: Question<T>): Promise<T> {
  try {
    const descriptor = await pcm.probe();
    return ask(refinerOf(descriptor), pcm instanceof AlsaDevice ? pcm.type : undefined);
  } finally {
    await pcm.closeProbe();
  }
}
