// SPDX-License-Identifier: MIT
/** Tests the set of runs against a plain set. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { IntervalSet } from "./interval_set.ts";

Deno.test("a set of runs has the numbers that a plain set has, and counts those that came twice", () => {
  const run = fc.tuple(fc.nat(60), fc.nat(12));
  fc.assert(fc.property(fc.array(run), run, (added, [from, length]) => {
    const [runs, plain] = [new IntervalSet(), new Set<number>()];
    for (const [first, count] of added) {
      let twice = 0;
      for (let n = first; n < first + count; n++) plain.has(n) ? twice++ : plain.add(n);
      assert.equal(runs.add(first, first + count), twice);
    }
    assert.equal(runs.size, plain.size);
    const inside = Array.from({ length }, (_, i) => from + i).filter((n) => plain.has(n)).length;
    assert.equal(runs.count(from, from + length), inside);
  }));
});
