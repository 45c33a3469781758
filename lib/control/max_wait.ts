// SPDX-License-Identifier: MIT
/** The longest time that a request of the control socket may wait: a day. */
export const MAX_WAIT_MS = 86_400_000;
