// SPDX-License-Identifier: MIT
/** Tests the timers of the virtual machine where its threads run late. */
import assert from "node:assert/strict";
import { install } from "../host.ts";
import { TestMachine } from "./test_machine.ts";

await install();

Deno.test("a timer that is cleared when it is due, and before its turn, does nothing", async () => {
  const machine = new TestMachine();
  const process = machine.process("test");
  const fired: string[] = [];
  await machine.run(process, () => {
    const once = setTimeout(() => fired.push("once"), 10);
    const again = setInterval(() => fired.push("again"), 10);
    setTimeout(() => {
      fired.push("first");
      clearTimeout(once);
      clearInterval(again);
    }, 9);
    // All three are due by then.
    process.main.stallUntil(machine.clock.now + 50_000);
    return new Promise((resolve) => setTimeout(resolve, 100));
  });
  assert.deepEqual(fired, ["first"]);
  process.kill();
});
