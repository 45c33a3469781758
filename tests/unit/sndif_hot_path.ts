// SPDX-License-Identifier: MIT
/**
 * Runs the backend's hot path through lib/sndif a million times and prints the octets of heap allocated.
 * sndif_allocation_test.ts runs this program with a young generation large enough that no collection happens meanwhile.
 */
import {
  BackRing,
  encodeHwParamResponse,
  encodeResponse,
  EventPageProducer,
  fillSilence,
  formatByName,
  HwParam,
  initSharedRing,
  positionHigh,
  positionLow,
  RequestView,
  Taken,
  XENSND_OP_HW_PARAM_QUERY,
} from "../../lib/sndif/mod.ts";

const page = new ArrayBuffer(4096), events = new ArrayBuffer(4096);
initSharedRing(page);
const ringWords = new Int32Array(page), eventWords = new Int32Array(events);
const ring = new BackRing(page), producer = new EventPageProducer(events);
const position = new Float64Array(1); // a plain variable beyond 2^31 would allocate at each change
const request = new RequestView(), param = new HwParam();
const silence = new Uint8Array(64), format = formatByName("u16_le")!;

function serve(rounds: number, firstPosition: number): number {
  let sum = 0;
  position[0] = firstPosition;
  for (let i = 0; i < rounds; i++) {
    Atomics.add(ringWords, 0, 1);
    if (ring.take(request) !== Taken.one) throw new Error("no request");
    sum = sum + request.offset + request.length + request.triggerType | 0;
    request.readHwParam(param);
    const at = ring.reserve();
    if (request.operation === XENSND_OP_HW_PARAM_QUERY) {
      encodeHwParamResponse(ring.view, at, request.id, param);
    } else encodeResponse(ring.view, at, request.id, request.operation, 0);
    ring.pushResponses();
    ring.finalCheckForRequests();
    position[0] += 16384;
    if (!producer.publishCurPos(positionLow(position[0]), positionHigh(position[0]))) {
      throw new Error("no room");
    }
    Atomics.store(eventWords, 0, Atomics.load(eventWords, 1));
    fillSilence(format, silence, 0, 64);
  }
  return sum;
}

serve(200_000, 0); // warms up the JIT compiler
const before = Deno.memoryUsage().heapUsed;
serve(1_000_000, 2 ** 40);
console.log(Deno.memoryUsage().heapUsed - before);
