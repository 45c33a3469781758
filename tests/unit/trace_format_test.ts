// SPDX-License-Identifier: MIT
/** Trace files: reading inverts writing, and a truncated file is readable up to its last whole record. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { errorOf } from "./trace_records.ts";
import {
  decodeTrace,
  encodeHead,
  encodeRecords,
  TraceFormatError,
  type TraceHead,
  type TraceRecord,
} from "../../lib/trace/trace_format.ts";

const HEAD: TraceHead = {
  stream: "domU/0/0/0",
  domid: 1,
  type: "playback",
  device: "hw:0,0",
  uniqueId: "spéakers",
  xsnd: "0.1.0",
  startedAt: "2026-01-01T00:00:00.000Z",
  state: "closed",
};

const anyRecord: fc.Arbitrary<TraceRecord> = fc.tuple(
  fc.nat(0xffff),
  fc.nat(Number.MAX_SAFE_INTEGER),
  fc.uint8Array({ maxLength: 200 }),
).map(([kind, time, body]) => ({ kind, time, body: new Uint8Array(body) }));
const anyRecords = fc.array(anyRecord, { maxLength: 8 });

function file(records: readonly TraceRecord[]): Uint8Array<ArrayBuffer> {
  const [head, rest] = [encodeHead(HEAD), encodeRecords(records)];
  const octets = new Uint8Array(head.length + rest.length);
  octets.set(head);
  octets.set(rest, head.length);
  return octets;
}

Deno.test("a trace that was written is read as it was", () =>
  fc.assert(fc.property(anyRecords, (records) => {
    const trace = decodeTrace(file(records));
    assert.deepEqual(trace, { head: HEAD, records, truncated: false });
  })));

Deno.test("a trace that is cut short anywhere is read up to its last whole record", () =>
  fc.assert(
    fc.property(anyRecords, (records) => {
      const octets = file(records);
      const ends = records.map((_, i) => file(records.slice(0, i + 1)).length);
      const headEnd = encodeHead(HEAD).length;
      for (let length = 0; length < octets.length; length++) {
        const cut = octets.slice(0, length);
        if (length < headEnd) {
          assert(errorOf(() => decodeTrace(cut)) instanceof TraceFormatError, `${length} octets`);
          continue;
        }
        const trace = decodeTrace(cut);
        const whole = ends.filter((end) => end <= length).length;
        assert.deepEqual(trace.records, records.slice(0, whole));
        assert.equal(trace.truncated, length !== (ends[whole - 1] ?? headEnd));
      }
    }),
    { numRuns: 20 },
  ));

Deno.test("what is no trace, or one of another version, is refused", () => {
  assert.throws(
    () => decodeTrace(new TextEncoder().encode("RIFF....WAVE")),
    /^TraceFormatError: it is no trace/,
  );
  const later = file([]);
  later[8] = 3;
  assert.throws(() => decodeTrace(later), /it is of version 3, and this xsnd reads versions 1 to 2/);
  const broken = file([]);
  broken[16] = 0xff;
  assert.throws(() => decodeTrace(broken), /its head is no JSON$/);
});

Deno.test("a head that is not that of a trace is refused, whatever JSON it is", () => {
  const parameters = { rate: 48000, channels: 2, format: "s16_le", bufferFrames: 4096, periodFrames: 1024 };
  const card = { cardBufferFrames: 4096, cardPeriodFrames: 128 };
  decodeTrace(encodeHead({ ...HEAD, parameters: { ...parameters, ...card } }));
  const wrong: unknown[] = [
    null,
    {},
    [],
    "x",
    { ...HEAD, stream: 1 },
    { ...HEAD, type: "both" },
    { ...HEAD, domid: -1 },
    { ...HEAD, parameters: {} },
    { ...HEAD, parameters: { ...parameters, ...card, rate: 0 } },
    { ...HEAD, parameters: { ...parameters, ...card, format: "s17_le" } },
    { ...HEAD, parameters: { ...parameters, ...card, format: 2 } },
    { ...HEAD, parameters: { ...parameters, ...card, bufferFrames: "4096" } },
  ];
  for (const head of wrong) {
    assert.throws(() => decodeTrace(encodeHead(head as TraceHead)), TraceFormatError, JSON.stringify(head));
  }
});

Deno.test("a file of version 1, whose head has the format's number, is read with the format's name", () => {
  const sizes = { bufferFrames: 4096, periodFrames: 1024, cardBufferFrames: 4096, cardPeriodFrames: 128 };
  const head = (format: unknown) => ({ ...HEAD, parameters: { rate: 48000, channels: 2, format, ...sizes } });
  const version1 = (format: unknown) => {
    const octets = encodeHead(head(format) as TraceHead);
    octets[8] = 1;
    return octets;
  };
  assert.deepEqual(decodeTrace(version1(2)).head, head("s16_le"));
  assert.throws(() => decodeTrace(version1(99)), TraceFormatError);
});
