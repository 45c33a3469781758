// SPDX-License-Identifier: MIT
/**
 * The engine plays to itself before it serves anybody, so that V8 has compiled the path of a sample when a guest depends on it.
 * A cold engine takes three times as much in its first seconds, which on a slow board is more than there is.
 */
import { POLL } from "../../ffi/libc/libc.ts";
import { XENSND_OP_TRIGGER_START } from "../sndif/mod.ts";
import { BUFFER_BYTES, SoloStream } from "./solo_stream.ts";

const ROUNDS = 4000;
const WRITE_BYTES = 256;
/** A board that is so slow is not to start any later for it. */
const LONGEST_MS = 500;

export function rehearse(): void {
  using solo = new SoloStream();
  solo.trigger(XENSND_OP_TRIGGER_START);
  const end = performance.now() + LONGEST_MS;
  for (let round = 0; round < ROUNDS && performance.now() < end; round++) {
    solo.write(round * WRITE_BYTES % BUFFER_BYTES, WRITE_BYTES);
    solo.stream.servePcm(POLL.IN);
    solo.takeEvents();
  }
}
