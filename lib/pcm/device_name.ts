// SPDX-License-Identifier: MIT
/** The names of devices in a configuration: what a name tells before the device is opened. */

/** The prefix of a dummy device's name: `dummy:[FILE]`. Any other name is an ALSA PCM's. */
export const DUMMY = "dummy:";

/** Devices of the kernel, or of computation alone: the dummy device, hw, plughw, null. */
const NEVER_WAITS = /^(dummy:|(plug)?hw(:|$)|null$)/;

/** Whether a call to this device may wait for another process, as calls to a sound server's plugin do. */
export function mayWait(name: string): boolean {
  return !NEVER_WAITS.test(name);
}
