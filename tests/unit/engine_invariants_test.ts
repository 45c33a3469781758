// SPDX-License-Identifier: MIT
/** Tests that a defect of the engine or the main thread becomes an Error that names it, never a wrong answer. */
import assert from "node:assert/strict";
import { createStatusTable, StatusRow } from "../../lib/bridge/stream_status.ts";
import { TraceRing } from "../../lib/bridge/trace_ring.ts";
import type { Connection } from "../../lib/engine/connection.ts";
import { Queries } from "../../lib/engine/queries.ts";
import { RequestQueue } from "../../lib/engine/request_queue.ts";
import { GuestBuffer } from "../../lib/engine/samples/guest_buffer.ts";
import { Playback } from "../../lib/engine/samples/playback.ts";
import { PositionFeed } from "../../lib/engine/samples/position_feed.ts";
import { StreamTrace } from "../../lib/engine/stream_trace.ts";
import { DummyPcm } from "../../lib/pcm/dummy/pcm.ts";
import { Memory } from "../../ffi/libc/memory.ts";
import {
  encodeCloseRequest,
  FrontRing,
  initSharedRing,
  RequestView,
  Taken,
  XEN_EOPNOTSUPP,
  XENSND_OP_CLOSE,
  XENSND_OP_TRIGGER_START,
} from "../../lib/sndif/mod.ts";
import { DEFAULT_PARAMS } from "../../lib/vsnd/model/card.ts";
import { DummyCard } from "./dummy_card.ts";
import { EngineRig } from "./engine_rig.ts";

/** Where the trace records of all streams go. */
const records = new TraceRing();

/** A queue and the guest's end of its ring. */
function queueAndRing() {
  const page = new ArrayBuffer(4096);
  initSharedRing(page);
  const status = new StatusRow(createStatusTable(1), 0);
  const connection = { status, trace: new StreamTrace(status, records.address) } as unknown as Connection;
  const front = new FrontRing(page);
  const close = () => {
    encodeCloseRequest(front.view, front.reserve(), 7);
    front.pushRequests();
  };
  return { queue: new RequestQueue(page, connection), close };
}

Deno.test("a slot that the status table does not have is an Error", () => {
  const table = createStatusTable(2);
  for (const slot of [-1, 2, 0.5, NaN]) {
    assert.throws(() => new StatusRow(table, slot), { message: `slot ${slot} is not one of 2` });
  }
});

Deno.test("an answer without a request is an Error", () => {
  const { queue } = queueAndRing();
  assert.throws(() => queue.respond(0), /an answer without a request/);
  assert.throws(() => queue.respondDeferred(0), /without a request/);
});

Deno.test("while the main thread works on a request, taking another and answering out of order are Errors", () => {
  const { queue, close } = queueAndRing();
  close();
  close();
  assert.equal(queue.take(), Taken.one);
  queue.defer();
  assert.equal(queue.deferredOperation, XENSND_OP_CLOSE);
  assert.throws(() => queue.take(), /before the one that the main thread works on/);
  assert.throws(() => queue.respond(0), /before the one that the main thread works on/);
  queue.respondDeferred(0);
  assert.equal(queue.take(), Taken.one);
  queue.respond(0);
  assert.throws(() => queue.respond(0), /an answer without a request/);
});

Deno.test("a query without a refiner is an Error", () => {
  const queries = new Queries(DEFAULT_PARAMS);
  assert.throws(() => queries.answer(new RequestView()), /a query without a refiner/);
});

Deno.test("a buffer of no whole number of frames is an Error", () => {
  using device = new DummyCard("playback", { bufferFrames: 16 });
  const status = new StatusRow(createStatusTable(1), 0);
  for (const octets of [0, 6]) {
    const buffer = new GuestBuffer(Memory.of(new ArrayBuffer(octets)), device.pcm.staging);
    assert.throws(
      () => new Playback(device.pcm, buffer, new PositionFeed(), status),
      { message: `a buffer of ${octets} octets is no whole number of frames of 4` },
    );
  }
});

Deno.test("a device of another rate, or with a staging of its own, takes no stream over, and is released", () => {
  using device = new DummyCard("playback", { bufferFrames: 16 });
  const buffer = new GuestBuffer(Memory.of(new ArrayBuffer(64)), device.pcm.staging);
  const status = new StatusRow(createStatusTable(1), 0);
  const transfer = new Playback(device.pcm, buffer, new PositionFeed(), status);
  const params = { ...device.pcm.params, rate: 48_000 };
  const others = [
    new DummyPcm({ kind: "dummy", params, fd: -1 }, undefined, device.pcm.staging),
    new DummyPcm({ kind: "dummy", params: device.pcm.params, fd: -1 }),
  ];
  for (const other of others) {
    let released = 0;
    const release = other.release.bind(other);
    other.release = () => {
      released++;
      release();
    };
    assert.throws(() => transfer.replaceDevice(other, false), /^Error: a device of another rate/);
    assert.deepEqual([released, transfer.pcm], [1, device.pcm]);
  }
});

Deno.test("an operation that sndif does not have is answered with -XEN_EOPNOTSUPP, and the next one is served", () => {
  using rig = new EngineRig();
  for (const operation of [10, 11, 128, 255]) assert.equal(rig.request(operation, 0, 0), -XEN_EOPNOTSUPP);
  assert.equal(rig.trigger(XENSND_OP_TRIGGER_START), 0);
});
