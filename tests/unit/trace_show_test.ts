// SPDX-License-Identifier: MIT
/** Traces as text lines and as JSON fields: every kind of record, and invalid records. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { XENSND_OP_TRIGGER, XENSND_OP_TRIGGER_START, XENSND_OP_WRITE } from "../../lib/sndif/mod.ts";
import { fieldsOf, lineOf } from "../../lib/trace/describe_record.ts";
import { endRecord, RecordKind, type TraceRecord } from "../../lib/trace/trace_format.ts";
import { Decoder } from "../../lib/trace/packets.ts";
import { summarize } from "../../lib/trace/summary.ts";
import { open, other, position, response, rw, trigger, xrun } from "./trace_records.ts";

function lines(...records: TraceRecord[]): string[] {
  const decoder = new Decoder();
  return records.map((record) => lineOf(decoder.next(record)).trimStart());
}

Deno.test("a line says when, which way, what, and of a response how long it took", () => {
  assert.deepEqual(
    lines(
      other(RecordKind.connected, 0),
      open(1000, 1),
      response(1300, 1, 0, 0),
      rw(2000, 2, XENSND_OP_WRITE, 4096, 512),
      trigger(2010, 3, XENSND_OP_TRIGGER_START),
      response(2085, 2, XENSND_OP_WRITE, 0),
      response(2090, 3, XENSND_OP_TRIGGER, -22),
      position(3_000_000, 65535, 12288),
      other(RecordKind.lost, 3_000_001, 5, 1, 0, 0),
      endRecord(3_000_002, "the card is gone"),
      xrun(3_000_003, { fromFrame: 96000, frames: 56160, seconds: 1.17, cause: "guest", isOver: true }),
    ),
    [
      "0.000000   --- connected",
      "0.001000 > req id=1 op=OPEN rate=48000 format=s16_le channels=2 buffer_sz=8192 period_sz=2048 gref_directory=7",
      "0.001300 < rsp id=1 op=OPEN status=0 (300 µs)",
      "0.002000 > req id=2 op=WRITE offset=4096 length=512",
      "0.002010 > req id=3 op=TRIGGER type=START",
      "0.002085 < rsp id=2 op=WRITE status=0 (85 µs)",
      "0.002090 < rsp id=3 op=TRIGGER status=-22 errno=EINVAL (80 µs)",
      "3.000000 < evt id=65535 type=CUR_POS position=12288",
      "3.000001   --- lost records=261",
      "3.000002   --- end why=the card is gone",
      "3.000003   --- xrun cause=guest from=96000 frames=56160 seconds=1.17 over=true",
    ],
  );
});

Deno.test("what is not known is shown in hex", () => {
  const odd = rw(0, 9, 200, 1, 2);
  const [line] = lines(odd);
  assert.match(line!, /> req id=9 op=op 200 hex=0900c80000000000010000000200/);
  assert.match(lines(other(77, 0, 1, 2, 255))[0]!, /--- kind 77 hex=0102ff$/);
  assert.match(lines(other(RecordKind.request, 0, 1))[0]!, /--- kind 1 hex=01$/);
});

Deno.test("no record, whatever is in it, breaks a line, its fields or the summary", () =>
  fc.assert(fc.property(
    fc.array(fc.record({
      kind: fc.nat(10),
      time: fc.nat(),
      body: fc.oneof(fc.uint8Array({ minLength: 64, maxLength: 64 }), fc.uint8Array({ maxLength: 70 }))
        .map((octets) => new Uint8Array(octets)),
    })),
    (records) => {
      const decoder = new Decoder();
      for (const record of records) {
        const decoded = decoder.next(record);
        assert(lineOf(decoded).length > 12);
        assert(JSON.stringify(fieldsOf(decoded)).length > 2);
      }
      assert.equal(summarize(records).records, records.length);
    },
  )));

Deno.test("the summary counts, and pairs a response with the request that it answers", () => {
  const summary = summarize([
    response(0, 4, XENSND_OP_WRITE, 0), // of a request before the trace
    rw(10, 5, XENSND_OP_WRITE, 0, 512),
    rw(20, 6, XENSND_OP_WRITE, 512, 512),
    response(110, 5, XENSND_OP_WRITE, 0),
    response(220, 6, XENSND_OP_WRITE, -5),
    position(300, 0, 512),
    other(RecordKind.lost, 400, 2, 0, 0, 0),
    rw(1_000_000, 7, XENSND_OP_WRITE, 0, 512),
  ]);
  assert.deepEqual(summary, {
    records: 8,
    seconds: 1,
    requests: 3,
    operations: { WRITE: 3 },
    responses: 3,
    refused: 1,
    events: 1,
    positions: 0,
    connections: 0,
    xruns: 0,
    hostXruns: 0,
    xrunSeconds: 0,
    roundTripMicros: { p50: 200, p99: 200, max: 200 },
    lost: 2,
  });
});
