// SPDX-License-Identifier: MIT
/**
 * Plays worlds: the same seed gives the same world, octet for octet, and the invariants hold. The worlds run in programs of
 * their own.
 */
import assert from "node:assert/strict";

const RUN = new URL("run.ts", import.meta.url).pathname;
const EVENTS = 600;
/** The seeds of each program: worlds that hold. Others are tried by hand, with `deno task world`. */
const SEEDS = 8;

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

for (const first of [8, 8 + SEEDS]) {
  Deno.test(`the invariants hold in the worlds of the seeds ${first} to ${first + SEEDS - 1}`, async () => {
    const text = await run(
      "--seed",
      String(first),
      "--seeds",
      String(SEEDS),
      "--events",
      String(EVENTS),
      "--no-shrink",
    );
    console.log(text.trimEnd().split("\n").at(-1));
  });
}
