// SPDX-License-Identifier: MIT
/** Tests raw memory by address: an address out of bounds or of freed memory never becomes a pointer. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { copyMemory, Memory } from "../../ffi/libc/memory.ts";

const BYTES = 1 << 16;

Deno.test("Memory.baseOf() gives the block's own address for whatever is within", () => {
  const buffer = new ArrayBuffer(BYTES);
  const memory = Memory.of(buffer);
  const base = Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer));
  fc.assert(fc.property(fc.integer({ min: 0, max: BYTES }), (at) => {
    assert.equal(memory.baseOf(at, BYTES - at), base);
  }));
});

Deno.test("Memory.baseOf() refuses whatever is not within the block", () => {
  const memory = Memory.of(new ArrayBuffer(64));
  for (
    const [offset, length] of [
      [-1, 1],
      [0, -1],
      [65, 0],
      [64, 1],
      [0, 65],
      [2 ** 32, 1],
      [1, 2 ** 53],
      [NaN, 1],
      [
        0,
        NaN,
      ],
      [Infinity, 1],
      [0.5, 1],
    ]
  ) {
    assert.throws(() => memory.baseOf(offset!, length!), RangeError, `${offset}, ${length}`);
  }
  memory.baseOf(64, 0);
});

Deno.test("Memory.baseOf() gives nothing after release()", () => {
  const memory = Memory.of(new ArrayBuffer(64));
  memory.baseOf(16, 16);
  memory.release();
  assert.throws(() => memory.baseOf(16, 16), TypeError);
  assert.throws(() => copyMemory(memory, 16, memory, 0, 16), TypeError);
});

Deno.test("copyMemory() copies exactly those octets, and none if either side does not hold them", () => {
  const offset = fc.integer({ min: 0, max: 80 });
  fc.assert(fc.property(offset, offset, offset, (toOffset, fromOffset, length) => {
    const to = new Uint8Array(64).fill(0xee);
    const from = Uint8Array.from({ length: 64 }, (_, i) => i);
    const copy = () => copyMemory(Memory.of(to.buffer), toOffset, Memory.of(from.buffer), fromOffset, length);
    const expected = to.slice();
    if (toOffset + length > 64 || fromOffset + length > 64) assert.throws(copy, RangeError);
    else {
      copy();
      expected.set(from.subarray(fromOffset, fromOffset + length), toOffset);
    }
    assert.deepEqual(to, expected);
  }));
});
