// SPDX-License-Identifier: MIT
/** The volumes that a stream can have, in steps of 0.001 dB. */

/** The loudest volume. Above 0 dB the loudest samples are clipped. */
export const MAX_VOLUME = 12_000;
/** The volume of silence: at this volume and below a sample is multiplied by 0. */
export const MIN_VOLUME = -120_000;
