// SPDX-License-Identifier: MIT
/**
 * Volumes as people write them, after pactl(1):
 *
 *     -6, 0dB, 3.5dB     a volume in dB
 *     +3dB, -3dB         louder or softer by so many dB
 *     80%                the place of a slider, which is the cube root of the amplitude: 100% is 0 dB, 50% -18 dB
 *     +10%, -10%         the slider, moved
 */

/** The least volume, which is silence, and the greatest, dB. */
export const [LEAST_DECIBELS, MOST_DECIBELS] = [-120, 12];

/** Gives the new volume, from the present one, both in dB. */
export type VolumeChange = ((decibels: number) => number) & { readonly isRelative: boolean };

/** Parses a volume or a change of the volume; undefined if `text` is neither, or a volume that no stream can have. */
export function parseVolume(text: string): VolumeChange | undefined {
  const [, sign, digits, unit] = /^([+-]?)(\d+(?:\.\d+)?|\.\d+)(dB|%|)$/i.exec(text) ?? [];
  if (digits === undefined || sign === "+" && unit === "") return undefined;
  const value = Number(digits) * (sign === "-" ? -1 : 1);
  const isRelative = sign !== "" && unit !== "";
  const isShare = unit === "%";
  if (!isRelative) {
    const decibels = isShare ? rounded(decibelsAt(value)) : value;
    return decibels < LEAST_DECIBELS || decibels > MOST_DECIBELS ? undefined : change(() => decibels, false);
  }
  const moved = (from: number) => isShare ? decibelsAt(sliderAt(from) + value) : from + value;
  return change((from) => rounded(Math.min(MOST_DECIBELS, Math.max(LEAST_DECIBELS, moved(from)))), true);
}

function change(next: (decibels: number) => number, isRelative: boolean): VolumeChange {
  return Object.assign(next, { isRelative });
}

/** Nobody hears less of a difference, and nobody wants to read more. */
function rounded(decibels: number): number {
  return Number(decibels.toFixed(2));
}

/** The volume at a place of the slider, in percent. */
function decibelsAt(percent: number): number {
  return percent <= 0 ? LEAST_DECIBELS : Math.max(LEAST_DECIBELS, 60 * Math.log10(percent / 100));
}

function sliderAt(decibels: number): number {
  return decibels <= LEAST_DECIBELS ? 0 : 100 * 10 ** (decibels / 60);
}
