// SPDX-License-Identifier: MIT
/** What an operator has set on a stream for good: it outlives the guest's connection and the daemon. */
import type { Hold } from "./stream_state.ts";
import { MAX_VOLUME, MIN_VOLUME } from "./volume_bounds.ts";

export interface OperatorSettings {
  /** In steps of 0.001 dB, on top of the guest's own. */
  readonly volume: number;
  readonly muted: boolean;
}

/** All that is kept of an operator's. */
export interface KeptSettings extends OperatorSettings {
  /** What `xsnd trigger` keeps the stream in. */
  readonly hold: Hold;
}

/** Whether a stream can be given this volume. */
export function isVolume(volume: number): boolean {
  return Number.isInteger(volume) && volume >= MIN_VOLUME && volume <= MAX_VOLUME;
}
