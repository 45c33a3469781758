// SPDX-License-Identifier: MIT
/**
 * Warms up V8's compiler: the engine plays to itself before it serves anybody, so that the path of a sample is compiled when a
 * guest depends on it. A cold engine takes three times as long in its first seconds, which is too long on a slow board.
 */
import { POLL } from "../../ffi/libc/libc.ts";
import { XENSND_OP_TRIGGER_START } from "../sndif/mod.ts";
import { BUFFER_BYTES, SoloStream } from "./solo_stream.ts";

const ROUNDS = 4000;
const WRITE_BYTES = 256;
/** A slow board starts no later than this for the warm-up. */
const LONGEST_MS = 500;

export function warmUpJit(): void {
  using solo = new SoloStream();
  solo.trigger(XENSND_OP_TRIGGER_START);
  const end = performance.now() + LONGEST_MS;
  for (let round = 0; round < ROUNDS && performance.now() < end; round++) {
    solo.write(round * WRITE_BYTES % BUFFER_BYTES, WRITE_BYTES);
    solo.stream.servePcm(POLL.IN);
    solo.takeEvents();
  }
}
