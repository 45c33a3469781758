// SPDX-License-Identifier: MIT
/** The engine's trace: every packet in order, the newest ones at any time, and how many a late reader has missed. */
import assert from "node:assert/strict";
import { POLL } from "../../ffi/libc/libc.ts";
import { MicrosClock } from "../../ffi/libc/micros_clock.ts";
import { createStatusTable, StatusRow } from "../../lib/bridge/stream_status.ts";
import { TraceRing, TraceWriter } from "../../lib/bridge/trace_ring.ts";
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

Deno.test("an engine's stream writes each request, response and event, and where its card is", () => {
  using rig = new EngineRig();
  rig.write(0, 4096); // before the trace
  const reader = rig.records.follow();
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
  const traced = fields(reader.take());
  rig.write(0, 256); // after the trace
  const asked = traced.filter(({ kind }) => kind === "request").map(({ op }) => op);
  assert.deepEqual(asked, ["WRITE", "WRITE", "TRIGGER", "TRIGGER"]);
  const answered = traced.filter(({ kind }) => kind === "response").map(({ status }) => status);
  assert.deepEqual(answered, [0, -22, 0, 0]);
  assert.deepEqual(traced.filter(({ kind }) => kind === "event").map(({ position }) => position), positions);
  const sampled = traced.filter(({ kind }) => kind === "position");
  assert.deepEqual([sampled[0]!.state, sampled.at(-1)!.state], ["running", "prepared"]);
  assert(sampled.some(({ state, position }) => state === "running" && Number(position) > 0));
  for (const { kind, roundTripMicros } of traced) {
    if (kind === "response") assert(Number(roundTripMicros) >= 0 && Number(roundTripMicros) < 10e6);
  }
});

const SLOTS = 128;

function ringAndWriter() {
  const ring = new TraceRing(SLOTS);
  return { ring, writer: new TraceWriter(ring.memory as unknown as ArrayBuffer) };
}

/** Writes responses with these ids. */
function write(writer: TraceWriter, from: number, to: number): void {
  for (let id = from; id <= to; id++) writer.response(id, XENSND_OP_WRITE, 0);
}

const ids = (records: readonly TraceRecord[]) => fields(records).map(({ id }) => id);

Deno.test("the ring keeps the newest records, and any number of readers reads them", () => {
  const { ring, writer } = ringAndWriter();
  assert.equal(ring.past(), undefined);
  const early = ring.follow();
  write(writer, 1, 40);
  assert.deepEqual(ids(ring.past()!.take()), Array.from({ length: 40 }, (_, i) => i + 1));
  assert.deepEqual(ids(early.take(3)), [1, 2, 3]);
  const late = ring.follow();
  assert.deepEqual(late.take(), []);
  write(writer, 41, 42);
  assert.deepEqual(ids(late.take()), [41, 42]);
  assert.equal(early.take().length, 39);
  write(writer, 43, 1000);
  const past = ids(ring.past()!.take());
  assert.equal(past.at(-1), 1000);
  assert(past.length >= SLOTS / 2 && past.length < SLOTS, `${past.length} records`);
  assert.deepEqual(past, past.map((_, i) => 1000 - past.length + 1 + i));
});

Deno.test("a reader that the engine has overtaken is told how many records it has missed", () => {
  const { ring, writer } = ringAndWriter();
  const reader = ring.follow();
  write(writer, 1, 300);
  const [lost, ...kept] = reader.take();
  const missed = 300 - kept.length;
  assert(missed > 300 - SLOTS, `${missed} missed`);
  assert.deepEqual([lost!.kind, decodeLost(lost!)], [RecordKind.lost, missed]);
  assert.deepEqual(ids(kept), kept.map((_, i) => missed + 1 + i));
  write(writer, 301, 301);
  assert.deepEqual(ids(reader.take()), [301]);
});

Deno.test("a record's time is right after hours, though its microseconds have wrapped", () => {
  const { ring, writer } = ringAndWriter();
  write(writer, 1, 2);
  // The first record is made five hours older: slots begin at octet 16, with the kind, the seconds and the microseconds.
  const words = new Int32Array(ring.memory);
  const HOURS = 5 * 3600;
  words[5]! -= HOURS;
  words[6] = words[6]! - HOURS * 1_000_000;
  const [first, second] = ring.past()!.take();
  assert.equal(first!.time, 0);
  assert(second!.time >= HOURS * 1e6 && second!.time < (HOURS + 60) * 1e6, `${second!.time}`);
});

Deno.test("times are those of the clock, and a pointer's is when the card was there", async () => {
  const { ring, writer } = ringAndWriter();
  const reader = ring.follow();
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
