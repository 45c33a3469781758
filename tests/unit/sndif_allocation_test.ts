// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";

Deno.test("a request, its response and an event allocate nothing", async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      "--v8-flags=--min-semi-space-size=256,--max-semi-space-size=256",
      new URL("sndif_hot_path.ts", import.meta.url).pathname,
    ],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const octets = Number(new TextDecoder().decode(stdout));
  // One heap number a round would be 12 or 16 million octets. The JIT compiler and memoryUsage() need some heap themselves.
  assert(Number.isInteger(octets) && octets < 1_000_000, `${octets} octets in a million rounds`);
});
