// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import fc from "fast-check";
import { Durations, DURATIONS_WORDS } from "../../lib/bridge/durations.ts";

Deno.test("Durations.percentiles() are zeroes before anything was added", () => {
  const durations = new Durations(new Float64Array(DURATIONS_WORDS));
  assert.deepEqual(durations.percentiles(), { p50: 0, p99: 0, max: 0 });
});

Deno.test("Durations.percentiles() are right to a quarter, and the longest to a µs", () => {
  const micros = fc.integer({ min: 1, max: 4_000_000 });
  fc.assert(fc.property(fc.array(micros, { minLength: 1, maxLength: 300 }), (values) => {
    const durations = new Durations(new Float64Array(DURATIONS_WORDS));
    for (const value of values) durations.add(value);
    const sorted = values.toSorted((a, b) => a - b);
    const { p50, p99, max } = durations.percentiles();
    for (const [share, found] of [[0.5, p50], [0.99, p99]]) {
      const exact = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share!))];
      assert(found! >= exact! && found! <= exact! * 1.25 + 1, `${share}: ${found} for ${exact}`);
    }
    assert.equal(max, sorted.at(-1));
  }));
});

Deno.test("Durations.add() takes what is shorter or longer than its buckets", () => {
  const durations = new Durations(new Float64Array(DURATIONS_WORDS));
  for (const micros of [0, -3, 1e9]) durations.add(micros);
  assert.equal(durations.percentiles().max, 1e9);
});
