// SPDX-License-Identifier: MIT
/** What ALSA's core asks of a driver: states and triggers of a substream, and `struct snd_pcm_ops`. */
import type { HwParam } from "../../../lib/sndif/mod.ts";
import type { SegmentCause } from "./account.ts";
import type { PcmConfig } from "./hw_params.ts";
import type { Blocking } from "./tasks.ts";

/** `SNDRV_PCM_STATE_*`. */
export type PcmState =
  | "open"
  | "setup"
  | "prepared"
  | "running"
  | "xrun"
  | "draining"
  | "paused"
  | "suspended"
  | "disconnected";

/** `SNDRV_PCM_TRIGGER_*`. The stock driver has no pause; another guest's driver may. */
export type Trigger = "start" | "stop" | "suspend" | "pause" | "resume";

/** `struct snd_pcm_ops`, as sound/xen/xen_snd_front_alsa.c fills it. */
export interface PcmOps {
  open(): Blocking<number>;
  close(): Blocking<void>;
  /** Narrows `space` to what can be had. */
  refine(space: HwParam): Blocking<number>;
  hwParams(config: PcmConfig): Blocking<number>;
  hwFree(): Blocking<number>;
  prepare(): Blocking<number>;
  trigger(trigger: Trigger, cause: SegmentCause): Blocking<number>;
  /** Frames within the buffer. */
  pointer(): number;
  /** Moves `frames` frames at `offset` of the buffer, which is frame `at` by the core's count. */
  copy(offset: number, frames: number, at: number): Blocking<number>;
  /** A segment ends of which the driver tells the backend nothing: what was written was never started. */
  abandoned(cause: SegmentCause): void;
}

/** What a substream needs of its card. */
export interface CardOfSubstream {
  readonly isShutdown: boolean;
  fileOpened(): void;
  fileClosed(): void;
}
