// SPDX-License-Identifier: MIT
/**
 * Plays worlds: the same seed gives the same world, octet for octet, and the invariants hold. The worlds run in programs of
 * their own.
 */
import assert from "node:assert/strict";

const RUN = new URL("run.ts", import.meta.url).pathname;
/** The first seed, how many there are, and the events of each. Each commit gets its own once hours of other seeds are clean. */
const [FIRST, SEEDS, EVENTS] = [2001, 200, 1500];
/** The most minutes for all worlds. A slow machine plays fewer than {@link SEEDS}, and the test says how many. */
const MINUTES = 5;

async function run(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", RUN, ...args],
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, text);
  return text;
}

Deno.test("the same seed gives the same world, octet for octet, whatever ran before", async () => {
  const [alone, again, after] = await Promise.all([
    run("--seed", "2", "--events", "300", "--log", "--no-shrink"),
    run("--seed", "2", "--events", "300", "--log", "--no-shrink"),
    run("--seed", "1", "--seeds", "2", "--events", "300", "--log", "--no-shrink"),
  ]);
  // The last line has the time that the run took.
  const lines = (text: string) => text.trimEnd().split("\n").slice(0, -1);
  assert(lines(alone).length > 300);
  assert.deepEqual(lines(again), lines(alone));
  const verdict = lines(alone).findLast((line) => line.startsWith("seed 2:"))!;
  assert(
    after.includes(verdict),
    `alone: ${verdict}\nafter seed 1: ${after.split("\n").slice(-4).join("\n")}`,
  );
});

Deno.test(`the invariants hold in up to ${SEEDS} worlds of ${EVENTS} events`, async () => {
  const share = Math.ceil(SEEDS / navigator.hardwareConcurrency);
  const began = performance.now();
  const parts = Array.from({ length: Math.ceil(SEEDS / share) }, async (_, n) => {
    const first = FIRST + n * share;
    const seeds = Math.min(share, FIRST + SEEDS - first);
    const limits = ["--seeds", String(seeds), "--events", String(EVENTS), "--minutes", String(MINUTES)];
    const text = await run("--seed", String(first), ...limits, "--no-shrink");
    return text.trimEnd().split("\n").at(-1)!;
  });
  let played = 0;
  for (const sum of await Promise.all(parts)) played += Number(/^(\d+) seeds /.exec(sum)![1]);
  const [seconds, events] = [(performance.now() - began) / 1000, played * EVENTS];
  console.log(
    `${played} of ${SEEDS} seeds: ${events} events in ${seconds.toFixed(0)} s, ${
      Math.round(events / seconds)
    } events a second`,
  );
});
