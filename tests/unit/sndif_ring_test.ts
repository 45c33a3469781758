// SPDX-License-Identifier: MIT
/** lib/sndif/ring.ts: both ends against a simple model, and the backend's end against a malicious frontend. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  BackRing,
  encodeResponse,
  encodeRwRequest,
  FrontRing,
  initSharedRing,
  RequestView,
  ResponseView,
  RING_HEADER_SIZE,
  RING_SIZE,
  Taken,
  XEN_EIO,
  XENSND_OP_WRITE,
} from "../../lib/sndif/mod.ts";

const REQ_PROD = 0, REQ_EVENT = 1, RSP_PROD = 2, RSP_EVENT = 3;

/** A ring page at `offset` into a buffer, as if `index` packets had passed both ways. */
function ringAt(index: number, offset = 4096) {
  const buffer = new ArrayBuffer(offset + 4096);
  initSharedRing(buffer, offset);
  const words = new Uint32Array(buffer, offset, 4);
  words[REQ_PROD] = words[RSP_PROD] = index;
  words[REQ_EVENT] = words[RSP_EVENT] = index + 1;
  return {
    words,
    buffer,
    front: new FrontRing(buffer, offset, index),
    back: new BackRing(buffer, offset, index),
  };
}

const startIndex = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 2 ** 32 - 70, max: 2 ** 32 - 1 }),
  fc.integer({ min: 2 ** 31 - 70, max: 2 ** 31 + 5 }),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
);

type Step = "request" | "pushRequests" | "takeRequest" | "respond" | "pushResponses" | "takeResponse";
const step = fc.constantFrom<Step>(
  "request", // three times as likely as "takeRequest", so that the ring fills
  "request",
  "request",
  "pushRequests",
  "takeRequest",
  "respond",
  "pushResponses",
  "takeResponse",
);

Deno.test("FrontRing and BackRing carry every packet once and in order, whatever the schedule and the index", () => {
  fc.assert(fc.property(startIndex, fc.array(step, { maxLength: 400, size: "max" }), (start, steps) => {
    const { front, back } = ringAt(start);
    const request = new RequestView(), response = new ResponseView();
    // The model: a queue of ids for each stage of a packet's way.
    const written: number[] = [], onRing: number[] = [], taken: number[] = [];
    const answered: number[] = [], onRingBack: number[] = [];
    let nextId = 0;
    const inFlight = () =>
      written.length + onRing.length + taken.length + answered.length + onRingBack.length;
    const run: Record<Step, () => void> = {
      request() {
        assert.equal(front.free, RING_SIZE - inFlight());
        const at = front.reserve();
        assert.equal(at === -1, inFlight() === RING_SIZE, "reserve() fails when the ring is full, only then");
        if (at === -1) return;
        encodeRwRequest(front.view, at, nextId, XENSND_OP_WRITE, nextId * 3, nextId * 5);
        written.push(nextId++);
      },
      pushRequests() {
        front.pushRequests();
        onRing.push(...written.splice(0));
      },
      takeRequest() {
        const expected = onRing.shift();
        assert.equal(back.take(request), expected === undefined ? Taken.none : Taken.one);
        if (expected === undefined) return;
        assert.deepEqual([request.id, request.offset, request.length], [
          expected,
          expected * 3,
          expected * 5,
        ]);
        taken.push(expected);
      },
      respond() {
        const at = back.reserve();
        assert.equal(at === -1, taken.length === 0, "reserve() fails when nothing is unanswered, only then");
        if (at === -1) return;
        encodeResponse(back.view, at, taken[0]!, XENSND_OP_WRITE, -taken[0]!);
        answered.push(taken.shift()!);
      },
      pushResponses() {
        back.pushResponses();
        onRingBack.push(...answered.splice(0));
      },
      takeResponse() {
        const expected = onRingBack.shift();
        assert.equal(front.take(response), expected === undefined ? Taken.none : Taken.one);
        if (expected !== undefined) {
          assert.deepEqual([response.id, response.status], [expected, 0 - expected]);
        }
      },
    };
    for (const name of steps) run[name]();
  }));
});

Deno.test("finalCheck and push lose no wake-up: an end that sleeps is notified of the next packet", () => {
  fc.assert(
    fc.property(
      startIndex,
      fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 60, size: "max" }),
      (start, batches) => {
        const { front, back } = ringAt(start);
        const request = new RequestView(), response = new ResponseView();
        for (const batch of batches) {
          assert.equal(back.finalCheckForRequests(), false);
          for (let i = 0; i < batch; i++) {
            encodeRwRequest(front.view, front.reserve(), i, XENSND_OP_WRITE, 0, 0);
          }
          assert.equal(front.pushRequests(), true, "the backend sleeps");
          assert.equal(front.pushRequests(), false, "nothing new");
          assert.equal(back.finalCheckForRequests(), true);
          assert.equal(front.finalCheckForResponses(), false);
          for (let i = 0; i < batch; i++) {
            assert.equal(back.take(request), Taken.one);
            encodeResponse(back.view, back.reserve(), request.id, request.operation, 0);
            assert.equal(
              back.pushResponses(),
              i === 0,
              "one notification while the frontend does not ask for another",
            );
          }
          assert.equal(front.finalCheckForResponses(), true);
          for (let i = 0; i < batch; i++) assert.equal(front.take(response), Taken.one);
          assert.equal(front.take(response), Taken.none);
        }
      },
    ),
  );
});

Deno.test("BackRing.take() reports a producer index that cannot be, and comes to no harm", () => {
  const lie = fc.oneof(startIndex, fc.integer({ min: -40, max: 80 }));
  fc.assert(
    fc.property(
      startIndex,
      fc.array(fc.tuple(lie, fc.boolean(), fc.boolean()), { maxLength: 200, size: "max" }),
      (start, lies) => {
        const { words, back, buffer } = ringAt(start, 0);
        const request = new RequestView();
        let reqCons = start, rspProd = start;
        for (const [delta, respond, push] of lies) {
          words[REQ_PROD] = reqCons + delta;
          words[RSP_PROD] = delta * 7; // the backend never reads this
          const unconsumed = delta >>> 0;
          const room = RING_SIZE - (reqCons - rspProd);
          const expected = unconsumed === 0 ? Taken.none : unconsumed <= room ? Taken.one : Taken.broken;
          assert.equal(back.take(request), expected);
          if (expected === Taken.one) reqCons++;
          if (respond && back.reserve() !== -1) rspProd++;
          if (push) back.pushResponses();
          assert(rspProd <= reqCons && reqCons - rspProd <= RING_SIZE);
        }
        const beyond = new Uint8Array(buffer, RING_HEADER_SIZE + RING_SIZE * 64);
        assert(beyond.every((octet) => octet === 0), "nothing is written behind the slots");
      },
    ),
  );
});

Deno.test("BackRing.finalCheckForRequests() is true for a broken producer index, so that it is taken and seen", () => {
  const { words, back } = ringAt(7);
  words[REQ_PROD] = 7 + RING_SIZE + 1;
  assert.equal(back.finalCheckForRequests(), true);
  assert.equal(back.take(new RequestView()), Taken.broken);
});

Deno.test("RequestView keeps what was copied when the guest rewrites the slot", () => {
  const { front, back } = ringAt(0);
  const request = new RequestView();
  const at = front.reserve();
  encodeRwRequest(front.view, at, 1, XENSND_OP_WRITE, 64, 128);
  front.pushRequests();
  back.take(request);
  encodeRwRequest(front.view, at, 2, 0xff, 0xffffffff, 0xffffffff);
  assert.deepEqual([request.id, request.operation, request.offset, request.length], [
    1,
    XENSND_OP_WRITE,
    64,
    128,
  ]);
});

Deno.test("BackRing.attach() takes again what its predecessor took and did not answer", () => {
  const { front, back, buffer } = ringAt(2 ** 32 - 2);
  const request = new RequestView(), response = new ResponseView();
  for (let id = 0; id < 4; id++) encodeRwRequest(front.view, front.reserve(), id, XENSND_OP_WRITE, id, id);
  front.pushRequests();
  for (let i = 0; i < 3; i++) back.take(request);
  encodeResponse(back.view, back.reserve(), 0, XENSND_OP_WRITE, 0);
  back.pushResponses();
  encodeResponse(back.view, back.reserve(), 1, XENSND_OP_WRITE, 0); // written, never pushed

  const successor = BackRing.attach(buffer, 4096);
  // The unpushed response has overwritten request 1. Each request must still get exactly one response.
  for (let i = 1; i < 4; i++) {
    assert.equal(successor.take(request), Taken.one);
    encodeResponse(successor.view, successor.reserve(), request.id, request.operation, -XEN_EIO);
  }
  assert.equal(successor.take(request), Taken.none);
  successor.pushResponses();
  const ids: number[] = [];
  while (front.take(response) === Taken.one) ids.push(response.id);
  assert.deepEqual(ids, [0, 1, 2, 3]);
});

Deno.test("FrontRing.take() reports more responses than requests", () => {
  const { words, front } = ringAt(5);
  encodeRwRequest(front.view, front.reserve(), 0, XENSND_OP_WRITE, 0, 0);
  front.pushRequests();
  words[RSP_PROD] = 7;
  assert.equal(front.take(new ResponseView()), Taken.broken);
});
