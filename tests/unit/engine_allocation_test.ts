// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";

/** Runs engine_hot_path.ts and returns its measurements. */
async function measure(...args: string[]) {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      "-A",
      "--v8-flags=--min-semi-space-size=256,--max-semi-space-size=256",
      new URL("engine_hot_path.ts", import.meta.url).pathname,
      ...args,
    ],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const measured = JSON.parse(new TextDecoder().decode(stdout));
  // The clock counts rounds: 330 000 are 660 ms, with a period of 192 frames in each.
  assert.deepEqual([measured.events, measured.position], [660, 126_720]);
  return measured;
}

/** One number object a round takes 1.2 or 1.6 million octets. The compiler and memoryUsage() take some, but less. */
function assertNothing(octets: number): void {
  assert(Number.isInteger(octets) && octets < 300_000, `${octets} octets in 100 000 rounds`);
}

Deno.test("the engine allocates nothing for a WRITE, a wake-up of the card, a position and their trace", async () => {
  const { octets, traced } = await measure();
  // 330 000 rounds each trace a request, a response and more.
  assert(traced > 660_000, `${traced} records`);
  assertNothing(octets);
});

Deno.test("the engine allocates nothing for a guest that has one xrun after the other", async () => {
  const { octets, xruns } = await measure("dry");
  assert.equal(xruns, 660);
  assertNothing(octets);
});
