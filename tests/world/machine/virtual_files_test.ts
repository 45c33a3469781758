// SPDX-License-Identifier: MIT
/** Tests what can be the matter with the virtual machine's files. Their contract with Deno's own is in `sockets_contract.ts`. */
import assert from "node:assert/strict";
import { readBeginning, requireRegular } from "../../../lib/base/text_file.ts";
import { TestMachine } from "./test_machine.ts";

const FILE = "/world/etc/xsnd.yaml";
const OPTIONS = { what: "the configuration", most: 1 << 20 };

/** The file as production code reads it. */
function readFile(): string {
  return new TextDecoder().decode(readBeginning(FILE, OPTIONS));
}

/** Runs `body` as a process of `machine`. */
function inProcess<T>(machine: TestMachine, body: () => T): Promise<T> {
  return machine.run(machine.process("program"), () => Promise.resolve(body()));
}

Deno.test("a file is what the world writes, also in the middle of a write", async () => {
  const machine = new TestMachine();
  machine.files.write(FILE, "domains: {}\n");
  assert.equal(await inProcess(machine, readFile), "domains: {}\n");
  machine.files.writeSlowly(FILE, "domains: {domU: {}}\n", 10, 1000, machine.clock);
  assert.equal(await inProcess(machine, readFile), "");
  await machine.pass(1000);
  assert.equal(await inProcess(machine, readFile), "domains: {");
  await machine.pass(1000);
  assert.equal(await inProcess(machine, readFile), "domains: {domU: {}}\n");
  assert.equal(machine.files.read(FILE), "domains: {domU: {}}\n");
});

Deno.test("a file may be missing, broken, or something else", async () => {
  const machine = new TestMachine();
  assert.equal(machine.files.read(FILE), undefined);
  await inProcess(machine, () => {
    assert.throws(readFile, /cannot read the configuration \S+: no such file or directory/);
  });
  machine.files.write(FILE, "x");
  machine.files.spoil(FILE, "EIO");
  await inProcess(machine, () => {
    assert.throws(readFile, /input\/output error/);
    assert.throws(() => requireRegular(FILE, "the configuration"), /input\/output error/);
  });
  machine.files.spoil(FILE, "EACCES");
  await inProcess(machine, () => assert.throws(readFile, /permission denied/));
  machine.files.spoil(FILE, undefined);
  assert.equal(await inProcess(machine, readFile), "x");
  machine.files.remove(FILE);
  machine.files.makeDirectory(FILE);
  await inProcess(machine, () => {
    assert.throws(readFile, /it is a directory/);
    assert.throws(() => requireRegular(FILE, "the configuration"), /not a regular file/);
  });
  machine.files.makeFifo(FILE);
  await inProcess(machine, () => {
    assert.throws(() => requireRegular(FILE, "the configuration"), /not a regular file/);
  });
  assert.deepEqual(machine.defects, []);
  await inProcess(machine, () => assert.throws(readFile, /hangs for good/));
  assert.equal(machine.defects.length, 1, "a process that hangs is a defect");
});

Deno.test("a file that breaks while it is open fails its readers", async () => {
  const machine = new TestMachine();
  machine.files.write(FILE, "text");
  await inProcess(machine, () => {
    using file = Deno.openSync(FILE);
    assert.equal(file.readSync(new Uint8Array(2)), 2);
    machine.files.spoil(FILE, "EIO");
    assert.throws(() => file.readSync(new Uint8Array(2)), { code: "EIO" });
  });
});

Deno.test("a slow file blocks its reader", async () => {
  const machine = new TestMachine();
  machine.files.write(FILE, "text");
  machine.files.slow(FILE, 50_000);
  const process = machine.process("program");
  const began = machine.clock.now;
  await machine.run(process, () => Promise.resolve(readFile()));
  assert(process.main.busyUntil >= began + 100_000, "open(2) and read(2) took 50 ms each");
});

Deno.test("a process has no files but the machine's; code of no process has the real ones", async () => {
  const machine = new TestMachine();
  assert.match(Deno.readTextFileSync("deno.json"), /"@xsnd\/xsnd"/);
  await inProcess(machine, () => {
    assert.throws(() => Deno.readTextFileSync("deno.json"), /the virtual machine has no deno\.json/);
    assert.throws(() => Deno.statSync("/worldly"), /the virtual machine has no \/worldly/);
  });
  assert.equal(machine.defects.length, 2);
});

Deno.test("a process that dies at a call has not made it", async () => {
  const machine = new TestMachine();
  machine.files.makeDirectory("/world/etc");
  for (let calls = 0; calls <= 3; calls++) {
    const process = machine.process("program");
    process.killAfter(calls);
    machine.start(process, () => {
      using file = Deno.createSync(FILE);
      file.writeSync(Uint8Array.of(0x61));
      file.writeSync(Uint8Array.of(0x62));
      return Promise.resolve();
    });
    await machine.pass(1000);
    assert.equal(machine.files.read(FILE), [undefined, "", "a", "ab"][calls]);
    assert.equal(process.isAlive, false);
  }
  assert.deepEqual(machine.defects, []);
});
