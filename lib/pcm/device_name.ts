// SPDX-License-Identifier: MIT
/** What a configuration's `device` tells of the device before anybody opens it. */

/** The prefix of a dummy device's name: `dummy:[FILE]`. Any other name is an ALSA PCM's. */
export const DUMMY = "dummy:";

/** PCMs that are the kernel's, or nothing but computation: the dummy card, hw, plughw, null. */
const NEVER_WAITS = /^(dummy:|(plug)?hw(:|$)|null$)/;

/** Whether a call to the device of this name may wait for another process, as the plugin of a sound server does. */
export function mayWait(name: string): boolean {
  return !NEVER_WAITS.test(name);
}
