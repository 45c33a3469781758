// SPDX-License-Identifier: MIT
/** From the name that a configuration gives a device to the device. */
import { AlsaDevice } from "./alsa/device.ts";
import type { PcmDevice } from "./device.ts";
import { DUMMY } from "./device_name.ts";
import { DummyDevice } from "./dummy/device.ts";
import type { Direction } from "./pcm.ts";

/** The device that a configuration's `device` names: `dummy:[FILE]`, or an ALSA PCM. Nothing is opened yet. */
export function pcmDevice(name: string, direction: Direction): PcmDevice {
  return name.startsWith(DUMMY)
    ? new DummyDevice(name.slice(DUMMY.length), direction)
    : new AlsaDevice(name, direction);
}
