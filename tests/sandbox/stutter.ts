// SPDX-License-Identifier: MIT
/** A guest that has an xrun of its own. */
import assert from "node:assert/strict";
import { type Box, makeWav } from "./harness.ts";

/** Plays `frames` frames on `stream`, 48 kHz, with an xrun in between: the player stands still until its device has run dry. */
export async function playWithXrun(box: Box, stream: string, frames: number): Promise<void> {
  const input = makeWav(box.path("stutter.wav"), { format: "s16_le", channels: 2, rate: 48000, frames });
  await using playing = box.spawn("play", input, stream);
  await box.untilStream(
    stream,
    ({ state, positionFrames }) => state === "running" && positionFrames > 24_000,
  );
  playing.kill("SIGSTOP");
  await box.untilStream(stream, ({ xruns }) => xruns > 0);
  playing.kill("SIGCONT");
  assert.equal((await playing.result).code, 0);
}
