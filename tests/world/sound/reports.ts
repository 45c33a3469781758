// SPDX-License-Identifier: MIT
/** What the host's devices tell the world: the frames that really left a loudspeaker, or came from a microphone, and when. */
import type { HostPcm } from "./host_pcm.ts";

/** Frames that left the loudspeaker one after the other. */
export interface PlayedRun {
  /** The first frame's number, in frames that the loudspeaker has played since the PCM was prepared. */
  readonly position: number;
  /**
   * The first frame's number among the application's positions since prepare, by which the application has written the frame. Equal
   * to `position`, unless the frame was written too late, or is played again. -1: nobody has written these frames.
   */
  readonly source: number;
  /**
   * The card plays what it has played before: the application and the driver had no chance to replace it, or did not. So after an
   * underrun without silence, or when a stall that jumps lasts longer than the buffer.
   */
  readonly isRepeat: boolean;
  readonly frames: number;
  /** The frames themselves, also silent ones. Valid during the call. */
  readonly octets: Uint8Array;
  /** The times, in µs, at which the first frame began and the last one ended. */
  readonly from: number;
  readonly until: number;
}

/** Frames of the microphone that a program has taken. */
export interface ReadRun {
  /** The first frame's position since prepare, as the application counts. */
  readonly position: number;
  /** The first frame's number among all that the card's microphone ever gave; 0: a place of the buffer without a frame. */
  readonly number: number;
  readonly frames: number;
  /** The times, in µs, at which the microphone gave the first frame and the last one. */
  readonly from: number;
  readonly until: number;
}

/** Why a running PCM has stopped. */
export type StopCause = "drop" | "close" | "xrun" | "suspend" | "unplugged" | "server";

/** What the world does with what the devices tell. All times are in µs. */
export interface SoundReports {
  opened?(pcm: HostPcm, time: number): void;
  /** The handle is closed, or its process has ended. */
  closed?(pcm: HostPcm, time: number): void;
  /** The application has put frames into the buffer. `octets` is valid during the call. */
  written?(pcm: HostPcm, position: number, frames: number, octets: Uint8Array, time: number): void;
  played?(pcm: HostPcm, run: PlayedRun): void;
  read?(pcm: HostPcm, run: ReadRun): void;
  started?(pcm: HostPcm, time: number): void;
  /** What is in the buffer is not played any more. `position`: as of {@link PlayedRun}. */
  stopped?(pcm: HostPcm, cause: StopCause, position: number, time: number): void;
  /** The device was asked for its pointer, and has not told it. */
  unread?(pcm: HostPcm, time: number): void;
  /** The program has done what no program may do with libasound. */
  violated(what: string): void;
}
