// SPDX-License-Identifier: MIT
/** Tests the turns of the virtual machine's threads. */
import assert from "node:assert/strict";
import { Killed, runningThread } from "./process.ts";
import { TestMachine } from "./test_machine.ts";

Deno.test("promises' reactions are their thread's, also where its turn ends in an error", async () => {
  for (const error of [undefined, new Killed("test"), new Error("a defect")]) {
    const machine = new TestMachine();
    const process = machine.process("test");
    const threads: unknown[] = [];
    const turn = () => {
      void Promise.resolve().then(() => threads.push(runningThread()));
      if (error !== undefined) throw error;
    };
    process.main.post(0, turn);
    process.main.post(10, turn);
    await machine.pass(20);
    assert.deepEqual(threads, [process.main, process.main]);
    assert.equal(runningThread(), undefined);
    assert.deepEqual(machine.defects, error?.message === "a defect" ? [error, error] : []);
  }
});
