import assert from "node:assert/strict";

Deno.test("the engine allocates nothing for a WRITE, a wake-up of the card and a position", async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      "-A",
      "--v8-flags=--min-semi-space-size=256,--max-semi-space-size=256",
      new URL("engine_hot_path.ts", import.meta.url).pathname,
    ],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const { octets, events, position } = JSON.parse(new TextDecoder().decode(stdout));
  assert(events > 100 && position > 10_000, "nothing was played");
  // One number object a round would be 1.2 or 1.6 million octets; the compiler itself and memoryUsage() take some.
  assert(Number.isInteger(octets) && octets < 300_000, `${octets} octets in 100 000 rounds`);
});
