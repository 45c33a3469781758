/** Raw memory by address: what is out of bounds or gone never becomes a pointer. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { copyMemory, Memory } from "../../ffi/memory.ts";

const BYTES = 1 << 16;

Deno.test("Memory.at() gives the octet's own address, whichever offsets it remembers", () => {
  const buffer = new ArrayBuffer(BYTES);
  const memory = Memory.of(buffer);
  const base = Memory.addressOf(buffer);
  // Far more offsets than are remembered, some of them again and again, as a ring uses them.
  const offset = fc.oneof(
    fc.integer({ min: 0, max: BYTES }),
    fc.integer({ min: 0, max: 40 }).map((n) => n * 1024),
  );
  fc.assert(fc.property(fc.array(offset, { maxLength: 600, size: "max" }), (offsets) => {
    for (const at of offsets) {
      assert.equal(Deno.UnsafePointer.value(memory.at(at, BYTES - at)), base + BigInt(at));
    }
  }));
});

Deno.test("Memory.at() refuses whatever is not within the block", () => {
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
    assert.throws(() => memory.at(offset, length), RangeError, `${offset}, ${length}`);
  }
  memory.at(64, 0);
});

Deno.test("Memory.at() gives no pointer after release(), not even one that it remembers", () => {
  const memory = Memory.of(new ArrayBuffer(64));
  memory.at(16, 16);
  memory.release();
  assert.throws(() => memory.at(16, 16), TypeError);
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
