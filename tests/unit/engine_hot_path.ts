// SPDX-License-Identifier: MIT
/**
 * A playing stream of the engine, 100 000 WRITEs and as many wake-ups of its card; prints the octets of heap that it took,
 * and how much was played. Run by engine_allocation_test.ts with a young generation so large that nothing is collected
 * in between. With the argument `trace` all of it is traced; with `dry` the guest writes so seldom that
 * it has one xrun after the other.
 */
import { XENSND_OP_TRIGGER_START } from "../../lib/sndif/mod.ts";
import { POLL } from "../../ffi/libc/libc.ts";
import { TraceReader } from "../../lib/bridge/trace_ring.ts";
import { BUFFER_BYTES, EngineRig } from "./engine_rig.ts";

const WRITE_BYTES = 256;
const ROUNDS = 100_000;

using rig = new EngineRig();
const reader = new TraceReader();
const [WRITTEN, READ] = [0, 1];
const words = new Int32Array(reader.memory);
if (Deno.args[0] === "trace") rig.stream.trace(reader.address);
if (rig.trigger(XENSND_OP_TRIGGER_START) !== 0) throw new Error("it does not start");

const isDry = Deno.args[0] === "dry";

/** A WRITE of what is to be heard next: the card is dry again soon. */
function writeAhead(): number {
  const offset = (rig.status.get("positionFrames") * 4 + WRITE_BYTES) % BUFFER_BYTES;
  return rig.write(offset - offset % WRITE_BYTES, WRITE_BYTES);
}

function play(rounds: number): void {
  for (let i = 0; i < rounds; i++) {
    if (
      isDry
        ? i % 500 === 0 && writeAhead() !== 0
        : rig.write(i * WRITE_BYTES % BUFFER_BYTES, WRITE_BYTES) !== 0
    ) {
      throw new Error("a WRITE was refused");
    }
    rig.stream.servePcm(POLL.IN);
    rig.takeEvents();
    // The trace is taken now and then: both a ring with room and one without are met.
    if (i % 8192 === 0) Atomics.store(words, READ, Atomics.load(words, WRITTEN));
  }
}

play(30_000); // lets the compiler settle, which on a busy machine takes longer: hence the least of three
const octets = Math.min(...[1, 2, 3].map(() => {
  const before = Deno.memoryUsage().heapUsed;
  play(ROUNDS);
  return Deno.memoryUsage().heapUsed - before;
}));
const [events, position] = [rig.status.get("events"), rig.status.get("positionFrames")];
const xruns = rig.status.get("xruns");
console.log(JSON.stringify({ octets, events, position, xruns, traced: words[WRITTEN] }));
