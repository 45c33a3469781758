// SPDX-License-Identifier: MIT
/** From the name that a configuration gives a device to the device. */
import { AlsaDevice } from "./alsa/device.ts";
import type { PcmDevice } from "./device.ts";
import { DummyDevice } from "./dummy/device.ts";
import type { Direction } from "./pcm.ts";

/** What the name of the built-in card-less card begins with. */
export const DUMMY = "dummy:";

/** The device that a configuration's `device` names: `dummy:[FILE]`, or an ALSA PCM. Nothing is opened yet. */
export function pcmDevice(name: string, direction: Direction): PcmDevice {
  return name.startsWith(DUMMY)
    ? new DummyDevice(name.slice(DUMMY.length), direction)
    : new AlsaDevice(name, direction);
}
