// SPDX-License-Identifier: MIT
/** Tests the guest's sample buffer: a copy stays inside its range, and never happens after the buffer is unmapped. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Memory } from "../../ffi/libc/memory.ts";
import { GuestBuffer } from "../../lib/engine/samples/guest_buffer.ts";

/** The guest's buffer is the first 4000 octets of a page: a buffer need not fill whole pages. */
const PAGE = 4096, BYTES = 4000, STAGING = 1024;

function open() {
  const page = Uint8Array.from({ length: PAGE }, (_, i) => i * 7 % 251);
  const staging = new Uint8Array(STAGING).fill(0xee);
  const buffer = new GuestBuffer(
    Memory.mapped(Deno.UnsafePointer.value(Deno.UnsafePointer.of(page.buffer)), BYTES),
    staging.buffer,
  );
  return { page, staging, buffer };
}

const offset = fc.integer({ min: -8, max: PAGE + 8 });
const length = fc.integer({ min: 0, max: STAGING + 8 });
const fits = (at: number, length: number) => at >= 0 && at + length <= BYTES && length <= STAGING;

Deno.test("GuestBuffer.toStaging() copies from the guest, and nothing that is outside of its buffer", () => {
  fc.assert(fc.property(offset, length, (at, count) => {
    const { page, staging, buffer } = open();
    const expected = staging.slice();
    if (!fits(at, count)) assert.throws(() => buffer.toStaging(at, count), RangeError);
    else {
      buffer.toStaging(at, count);
      expected.set(page.subarray(at, at + count));
    }
    assert.deepEqual(staging, expected);
  }));
});

Deno.test("GuestBuffer.fromStaging() copies to the guest, and touches nothing else of its pages", () => {
  fc.assert(fc.property(offset, length, (at, count) => {
    const { page, staging, buffer } = open();
    const expected = page.slice();
    if (!fits(at, count)) assert.throws(() => buffer.fromStaging(at, count), RangeError);
    else {
      buffer.fromStaging(at, count);
      expected.set(staging.subarray(0, count), at);
    }
    assert.deepEqual(page, expected);
  }));
});

Deno.test("GuestBuffer.detach() makes a late access an exception", () => {
  const { buffer } = open();
  buffer.toStaging(0, 16);
  buffer.detach();
  assert.throws(() => buffer.toStaging(0, 16), TypeError);
  assert.throws(() => buffer.fromStaging(0, 16), TypeError);
});
