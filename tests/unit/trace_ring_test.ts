// SPDX-License-Identifier: MIT
/** The engine's trace: every packet in order, and a count of the dropped records where the ring was full. */
import assert from "node:assert/strict";
import { POLL } from "../../ffi/libc/libc.ts";
import { MicrosClock } from "../../ffi/libc/micros_clock.ts";
import { createStatusTable, StatusRow } from "../../lib/bridge/stream_status.ts";
import { TraceReader, TraceWriter } from "../../lib/bridge/trace_ring.ts";
import {
  HwParam,
  XENSND_OP_TRIGGER_START,
  XENSND_OP_TRIGGER_STOP,
  XENSND_OP_WRITE,
} from "../../lib/sndif/mod.ts";
import { decodeLost, decodePosition, RecordKind, type TraceRecord } from "../../lib/trace/trace_format.ts";
import { fieldsOf } from "../../lib/trace/describe_record.ts";
import { Decoder } from "../../lib/trace/packets.ts";
import { BUFFER_BYTES, EngineRig } from "./engine_rig.ts";

function fields(records: readonly TraceRecord[]) {
  const decoder = new Decoder();
  return records.map((record) => fieldsOf(decoder.next(record)));
}

Deno.test("an engine's stream that is traced writes each request, response and event, and where its card is", () => {
  using rig = new EngineRig();
  const reader = new TraceReader();
  rig.write(0, 4096); // before the trace
  rig.stream.trace(reader.address);
  rig.write(4096, 4096);
  rig.write(1, BUFFER_BYTES);
  rig.trigger(XENSND_OP_TRIGGER_START);
  const positions: number[] = [];
  while (positions.length === 0) {
    rig.stream.servePcm(POLL.IN);
    positions.push(...rig.takePositions());
  }
  rig.trigger(XENSND_OP_TRIGGER_STOP);
  positions.push(...rig.takePositions());
  rig.stream.trace(null);
  rig.write(0, 256); // after the trace
  const traced = fields(reader.take());
  const asked = traced.filter(({ kind }) => kind === "request").map(({ op }) => op);
  assert.deepEqual(asked, ["WRITE", "WRITE", "TRIGGER", "TRIGGER"]);
  const answered = traced.filter(({ kind }) => kind === "response").map(({ status }) => status);
  assert.deepEqual(answered, [0, -22, 0, 0]);
  assert.deepEqual(traced.filter(({ kind }) => kind === "event").map(({ position }) => position), positions);
  const sampled = traced.filter(({ kind }) => kind === "position");
  assert.deepEqual([sampled[0]!.state, sampled.at(-1)!.state], ["prepared", "prepared"]);
  assert(sampled.some(({ state, position }) => state === "running" && Number(position) > 0));
  for (const { kind, roundTripMicros } of traced) {
    if (kind === "response") assert(Number(roundTripMicros) >= 0 && Number(roundTripMicros) < 10e6);
  }
});

Deno.test("a full ring loses what is new, and says how much where it is missing", () => {
  const reader = new TraceReader(8);
  const writer = new TraceWriter(reader.memory as unknown as ArrayBuffer);
  for (let id = 0; id < 12; id++) writer.response(id, XENSND_OP_WRITE, 0);
  assert.deepEqual(fields(reader.take()).map(({ id }) => id), [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(reader.lost, 4);
  writer.response(12, XENSND_OP_WRITE, 0);
  const [lost, next] = reader.take();
  assert.deepEqual([lost!.kind, decodeLost(lost!)], [RecordKind.lost, 4]);
  assert.deepEqual(fields([next!])[0]!.id, 12);
  assert.equal(reader.lost, 0);
});

Deno.test("times are those of the clock, and a pointer's is when the card was there", async () => {
  const reader = new TraceReader(8);
  const writer = new TraceWriter(reader.memory as unknown as ArrayBuffer);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const row = new StatusRow(createStatusTable(1), 0);
  row.set("positionFrames", 2 ** 40);
  row.set("xruns", 3);
  const now = new MicrosClock().now();
  writer.sample(row, now);
  writer.sample(row, now - 15_000 | 0);
  writer.hwParamResponse(1, new HwParam());
  const [sample, older, answer] = reader.take();
  assert(sample!.time >= 19_000 && sample!.time <= reader.now(), `${sample!.time}`);
  assert.equal(sample!.time - older!.time, 15_000);
  assert(answer!.time >= sample!.time);
  const { positionFrames, xruns, cardLost } = decodePosition(sample!)!;
  assert.deepEqual({ positionFrames, xruns, cardLost }, {
    positionFrames: 2 ** 40,
    xruns: 3,
    cardLost: false,
  });
});
