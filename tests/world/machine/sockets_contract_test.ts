// SPDX-License-Identifier: MIT
/** Tests Deno's own sockets and files, and the virtual machine's, by one contract. */
import assert from "node:assert/strict";
import { FILES_CONTRACT, SOCKETS_CONTRACT } from "./sockets_contract.ts";
import { TestMachine } from "./test_machine.ts";

const CONTRACT = [...SOCKETS_CONTRACT, ...FILES_CONTRACT];

for (const { name, run } of CONTRACT) {
  Deno.test({
    name: `Deno's own: ${name}`,
    // chown() and the owners of new files are about root.
    ignore: Deno.uid() !== 0,
    async fn() {
      const directory = Deno.makeTempDirSync();
      try {
        await run({ directory, pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)) });
      } finally {
        Deno.removeSync(directory, { recursive: true });
      }
    },
  });

  for (const seed of [1, 2, 3]) {
    Deno.test(`the virtual machine's, seed ${seed}: ${name}`, async () => {
      const machine = new TestMachine(seed);
      machine.files.makeDirectory("/world/run");
      const process = machine.process("program");
      const pause = (ms: number) =>
        new Promise<void>((resolve) => void process.main.post(ms * 1000, resolve));
      await machine.run(process, () => run({ directory: "/world/run", pause }));
      assert.deepEqual(machine.defects, []);
      assert.equal(process.files.size, 0, "no descriptor is left");
    });
  }
}
