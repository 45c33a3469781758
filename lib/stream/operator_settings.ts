// SPDX-License-Identifier: MIT
/** The settings of a stream that an operator makes. They outlive the guest's connection and the daemon. */
import type { Hold } from "./stream_state.ts";
import { MAX_VOLUME, MIN_VOLUME } from "./volume_bounds.ts";

export interface OperatorSettings {
  /** In steps of 0.001 dB, on top of the guest's own volume. */
  readonly volume: number;
  readonly muted: boolean;
}

/** All settings that are kept. */
export interface KeptSettings extends OperatorSettings {
  /** The hold that `xsnd trigger` has left the stream in. */
  readonly hold: Hold;
  /** When the mute ends by itself, ms of CLOCK_MONOTONIC; undefined: never. */
  readonly mutedUntil?: number;
}

/** The settings of a stream that nobody has touched. */
export const UNTOUCHED: KeptSettings = { volume: 0, muted: false, hold: "none" };

/** The longest time after which a mute ends, ms: a thousand days. */
export const LONGEST_MUTE_MS = 1000 * 24 * 3600 * 1000;

/** Whether a stream can have this volume, in steps of 0.001 dB. */
export function isVolume(volume: number): boolean {
  return Number.isInteger(volume) && volume >= MIN_VOLUME && volume <= MAX_VOLUME;
}
