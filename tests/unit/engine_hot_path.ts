/**
 * A playing stream of the engine, 100 000 WRITEs and as many wake-ups of its card; prints the octets of heap that it took,
 * and how much was played. Run by engine_allocation_test.ts with a young generation so large that nothing is collected
 * in between.
 */
import { XENSND_OP_TRIGGER_START } from "../../lib/sndif/mod.ts";
import { POLL } from "../../ffi/libc.ts";
import { BUFFER_BYTES, EngineRig } from "./engine_rig.ts";

const WRITE_BYTES = 256;

using rig = new EngineRig();
if (rig.trigger(XENSND_OP_TRIGGER_START) !== 0) throw new Error("it does not start");

function play(rounds: number): void {
  for (let i = 0; i < rounds; i++) {
    if (rig.write(i * WRITE_BYTES % BUFFER_BYTES, WRITE_BYTES) !== 0) throw new Error("a WRITE was refused");
    rig.stream.servePcm(POLL.IN);
    rig.takeEvents();
  }
}

play(30_000); // lets the compiler settle
const before = Deno.memoryUsage().heapUsed;
play(100_000);
const octets = Deno.memoryUsage().heapUsed - before;
const [events, position] = [rig.status.get("events"), rig.status.get("positionFrames")];
console.log(JSON.stringify({ octets, events, position }));
