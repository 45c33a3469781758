// SPDX-License-Identifier: MIT
/**
 * Measures the heap that a playing stream allocates in 100 000 WRITEs and as many wake-ups of the device. Prints the octets of
 * heap and the frames played. engine_allocation_test.ts runs this script with a young generation so large that nothing is
 * collected meanwhile. The argument `dry` makes the guest write so seldom that
 * xrun follows xrun. The clock counts rounds: a fast machine has as many events and xruns as a slow one.
 */
import { XENSND_OP_TRIGGER_START } from "../../lib/sndif/mod.ts";
import { POLL } from "../../ffi/libc/libc.ts";
import { BUFFER_BYTES, EngineRig } from "./engine_rig.ts";

const WRITE_BYTES = 256;
const ROUNDS = 100_000;

/** Rounds in a millisecond of the clock. A guest that runs dry writes once in as many. */
const MS_ROUNDS = 500;
/** Milliseconds of the clock, with a fraction: whoever keeps such a number in an object allocates. */
const clock = new Float64Array([0.5]);
performance.now = () => clock[0]!;
const isDry = Deno.args[0] === "dry";

using rig = new EngineRig();
if (rig.trigger(XENSND_OP_TRIGGER_START) !== 0) throw new Error("it does not start");

/** Writes a third of a millisecond, just ahead of the position: the device runs dry in the next one. */
function writeAhead(): number {
  const offset = (rig.status.get("positionFrames") * 4 + WRITE_BYTES) % BUFFER_BYTES;
  return rig.write(offset - offset % WRITE_BYTES, WRITE_BYTES);
}

function play(rounds: number): void {
  for (let i = 0; i < rounds; i++) {
    if (i % MS_ROUNDS === 0) clock[0]! += 1;
    if (
      isDry
        ? i % MS_ROUNDS === MS_ROUNDS / 2 && writeAhead() !== 0
        : rig.write(i * WRITE_BYTES % BUFFER_BYTES, WRITE_BYTES) !== 0
    ) {
      throw new Error("a WRITE was refused");
    }
    rig.stream.servePcm(POLL.IN);
    rig.takeEvents();
  }
}

play(30_000); // lets the compiler settle; a busy machine takes longer, hence the least of three below
const octets = Math.min(...[1, 2, 3].map(() => {
  const before = Deno.memoryUsage().heapUsed;
  play(ROUNDS);
  return Deno.memoryUsage().heapUsed - before;
}));
const [events, position] = [rig.status.get("events"), rig.status.get("positionFrames")];
const xruns = rig.status.get("xruns");
console.log(JSON.stringify({ octets, events, position, xruns, traced: rig.records.written }));
