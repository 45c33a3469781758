// SPDX-License-Identifier: MIT
/** Records from a {@link GuestPcm} as arecord does: starts, and reads each period when it is there. */
import { XsndError } from "../base/error.ts";
import type { AudioWriter } from "../wav/mod.ts";
import type { GuestPcm } from "./guest_pcm.ts";
import type { SessionMeter } from "./session_meter.ts";
import { STALL_MS, type Turns } from "./turns.ts";

/** Records `frames` frames from `pcm`, which is open, to `writer`. Calls `progress` with the frames so far. */
export function* record(
  pcm: GuestPcm,
  writer: AudioWriter,
  frames: number,
  meter: SessionMeter,
  progress: (frames: number) => void,
): Turns {
  const period = new Uint8Array(pcm.periodFrames * pcm.frameBytes);
  let done = 0;
  meter.start(() => pcm.start());
  while (done < frames) {
    if (!(yield pcm)) {
      throw new XsndError(`${pcm.stream.name} stands still: nothing was captured for ${STALL_MS / 1000} s`);
    }
    if (pcm.captureAvail > pcm.bufferFrames) {
      meter.xruns++;
      pcm.stop();
      pcm.prepare();
      meter.start(() => pcm.start());
      continue;
    }
    while (pcm.captureAvail > 0 && done < frames) {
      const count = Math.min(pcm.captureAvail, pcm.periodFrames, frames - done);
      const part = period.subarray(0, count * pcm.frameBytes);
      pcm.read(part);
      writer.writeFrames(part);
      done += count;
    }
    progress(done);
  }
  meter.finish(done);
  pcm.stop();
}
