// SPDX-License-Identifier: MIT
/** Finds the device of a name in a configuration. */
import { AlsaDevice } from "./alsa/device.ts";
import type { PcmDevice } from "./device.ts";
import { DUMMY } from "./device_name.ts";
import { DummyDevice } from "./dummy/device.ts";
import type { Direction } from "./pcm.ts";

/** The device called `name`: `dummy:[FILE]`, or an ALSA PCM. Opens nothing yet. */
export function pcmDevice(name: string, direction: Direction): PcmDevice {
  return name.startsWith(DUMMY)
    ? new DummyDevice(name.slice(DUMMY.length), direction)
    : new AlsaDevice(name, direction);
}
