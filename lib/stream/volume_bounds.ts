// SPDX-License-Identifier: MIT
/** The volumes that a stream can have, in steps of 0.001 dB. */

/** The loudest volume that can be set. Above 0 dB the loudest samples are clipped. */
export const MAX_VOLUME = 12_000;
/** At this volume and below there is silence. */
export const MIN_VOLUME = -120_000;
