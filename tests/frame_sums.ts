// SPDX-License-Identifier: MIT
/** The two sums of a stream's frames: see `COUNTERS` in lib/bridge/stream_status.ts. */
import type { StatusSnapshot } from "../lib/bridge/stream_status.ts";
import type { Direction } from "../lib/pcm/pcm.ts";

/** A number of the stream's status row or report. */
type Column = (name: keyof StatusSnapshot & `${string}Frames`) => number;

/** What each sum says on its left and on its right. */
export interface FrameSum {
  readonly name: "transferred" | "moved" | "fate of what was recorded";
  readonly left: number;
  readonly right: number;
}

/** Both sums. @param isOpen whether the guest has the stream open: frames wait in an open stream alone */
export function frameSums(direction: Direction, of: Column, isOpen: boolean): readonly FrameSum[] {
  const passed = of("heardFrames") + of("standInFrames") + of("deniedFrames");
  const [silence, moved, transferred] = [of("silenceFrames"), of("movedFrames"), of("transferredFrames")];
  const [late, discarded] = [of("lateFrames"), of("discardedFrames")];
  const [guest, card, position] = [of("guestFrames"), of("cardFrames"), of("positionFrames")];
  const open = (frames: number) => isOpen ? Math.max(0, frames) : 0;
  if (direction === "playback") {
    return [
      { name: "transferred", left: transferred, right: passed + late + discarded + open(guest - position) },
      { name: "moved", left: moved, right: passed + silence },
    ];
  }
  const kept = open(Math.max(position, card) - guest);
  return [
    { name: "fate of what was recorded", left: moved, right: transferred + late + discarded + kept },
    { name: "moved", left: moved, right: passed + silence + open(position - card) },
  ];
}
