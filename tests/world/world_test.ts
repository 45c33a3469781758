// SPDX-License-Identifier: MIT
/**
 * Plays worlds: the same seed gives the same world, octet for octet, and the invariants hold. The worlds run in programs of
 * their own.
 */
import assert from "node:assert/strict";

const RUN = new URL("run.ts", import.meta.url).pathname;
/** The first seed, how many there are, and the events of each. Each commit gets its own once hours of other seeds are clean. */
const [FIRST, SEEDS, EVENTS] = [2001, 200, 1500];

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

Deno.test(`the invariants hold in ${SEEDS} worlds of ${EVENTS} events`, async () => {
  const share = Math.ceil(SEEDS / navigator.hardwareConcurrency);
  const began = performance.now();
  const parts = Array.from({ length: Math.ceil(SEEDS / share) }, async (_, n) => {
    const seeds = Math.min(share, SEEDS - n * share);
    const args = ["--seed", String(FIRST + n * share), "--seeds", String(seeds), "--events", String(EVENTS)];
    const text = await run(...args, "--no-shrink");
    return text.trimEnd().split("\n").at(-1);
  });
  for (const sum of await Promise.all(parts)) console.log(sum);
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${SEEDS * EVENTS} events in ${seconds.toFixed(0)} s: ${
      Math.round(SEEDS * EVENTS / seconds)
    } events a second`,
  );
});
