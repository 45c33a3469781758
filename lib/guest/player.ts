// SPDX-License-Identifier: MIT
/** Plays a file through a {@link GuestPcm} as aplay does: fills the buffer, starts, writes a period when there is room, drains. */
import { XsndError } from "../base/error.ts";
import type { AudioReader } from "../wav/mod.ts";
import type { GuestPcm } from "./guest_pcm.ts";
import type { SessionMeter } from "./session_meter.ts";
import { STALL_MS, type Turns } from "./turns.ts";

/**
 * Plays the rest of `reader` through `pcm`, which is open. Ends when the last sample is played and the stream is stopped. Calls
 * `progress` a few times a second with the frames played.
 */
export function* play(
  pcm: GuestPcm,
  reader: AudioReader,
  meter: SessionMeter,
  progress: (frames: number) => void,
): Turns {
  const period = new Uint8Array(pcm.periodFrames * pcm.frameBytes);
  /** Samples that are read and not yet written: at most a period. */
  let rest = period.subarray(0, 0);
  let frames = 0;
  let ended = false;

  const fill = () => {
    while (pcm.playbackAvail > 0 && !ended) {
      if (rest.length === 0) {
        const read = reader.readFrames(period);
        if (read === 0) ended = true;
        rest = period.subarray(0, read * pcm.frameBytes);
        // A pipe may have taken its time. A kernel would know the position, and whether the device has run dry meanwhile.
        pcm.takeEvents();
        if (pcm.isDry) return;
      }
      const count = Math.min(rest.length / pcm.frameBytes, pcm.playbackAvail);
      const part = rest.subarray(0, count * pcm.frameBytes);
      if (count > 0) pcm.write(part);
      rest = rest.subarray(part.length);
      frames += count;
    }
  };

  fill();
  if (frames === 0) return;
  meter.start(() => pcm.start());
  /** Frames played before the last restart. */
  let before = 0;
  while (!ended || pcm.hwPtr < pcm.applPtr) {
    if (!(yield pcm) && pcm.hwPtr < pcm.applPtr) stalled(pcm);
    progress(before + Math.min(pcm.hwPtr, pcm.applPtr));
    if (!ended && pcm.isDry) {
      meter.xruns++;
      before += pcm.applPtr;
      pcm.stop();
      pcm.prepare();
      fill();
      meter.start(() => pcm.start());
    } else {
      fill();
    }
  }
  meter.finish(frames);
  pcm.stop();
}

/** Throws. An operator may hold the stream, which a guest cannot know. */
function stalled(pcm: GuestPcm): never {
  throw new XsndError(
    `${pcm.stream.name} stands still: no position for ${STALL_MS / 1000} s; ` +
      "if an operator paused it, `xsnd trigger resume` it; else see the log of `xsnd serve`",
  );
}
