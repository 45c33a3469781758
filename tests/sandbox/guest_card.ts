// SPDX-License-Identifier: MIT
/**
 * A box for tests with their own frontend. The guest's card has two playback streams and a capture stream; a file keeps what the
 * first stream plays.
 */
import assert from "node:assert/strict";
import { type Box, type Process, samplesOf, sharedBox } from "./harness.ts";

/** Runs a test's body with the box, the daemon, and the file's path. */
export type InServedBox = (
  body: (box: Box, daemon: Process, output: string) => Promise<void>,
) => Promise<void>;

/** One box for all tests of a file. The daemon must survive each test without a defect. */
export function servedCard(): InServedBox {
  let daemon: Process;
  const served = sharedBox(async (box) => {
    await box.provision("domU", [
      { type: "playback", device: `dummy:${box.path("played.wav")}` },
      { type: "capture", device: "dummy:" },
      { type: "playback", device: "dummy:" },
    ]);
    daemon = await box.serve();
  });

  return async (body) => {
    const output = served().path("played.wav");
    await Deno.remove(output).catch(() => {});
    await body(served(), daemon, output);
    assert(!daemon.ended, daemon.stderr);
    assert(!/^\s+at /m.test(daemon.stderr), daemon.stderr);
  };
}

/** `count` stereo frames that hold the numbers from `first` on; `first` is never 0. */
export function numbered(first: number, count: number): Uint8Array {
  return new Uint8Array(Uint32Array.from({ length: count }, (_, i) => first + i).buffer);
}

/** The numbers that the device has played. */
export const playedNumbers = (path: string) => Array.from(new Uint32Array(samplesOf(path).slice().buffer));
