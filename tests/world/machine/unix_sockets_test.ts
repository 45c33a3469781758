// SPDX-License-Identifier: MIT
/** Tests the faults that the virtual machine's sockets have. Their contract with Deno's own is in `sockets_contract.ts`. */
import assert from "node:assert/strict";
import { actAs } from "./credentials.ts";
import type { Process } from "./process.ts";
import { TestMachine } from "./test_machine.ts";

const PATH = "/world/run/socket";

/** A machine with a directory for sockets. */
function machineWith(seed = 1): TestMachine {
  const machine = new TestMachine(seed);
  machine.files.makeDirectory("/world/run");
  return machine;
}

const connect = (path = PATH) => Deno.connect({ transport: "unix", path });
const listen = (path = PATH) => Deno.listen({ transport: "unix", path });
const octets = (text: string) => new TextEncoder().encode(text);

async function readText(connection: Deno.Conn): Promise<string | null> {
  const buffer = new Uint8Array(100);
  const count = await connection.read(buffer);
  return count === null ? null : new TextDecoder().decode(buffer.subarray(0, count));
}

/** Starts a server that answers whatever it reads with its double. */
function startEcho(machine: TestMachine, process: Process): void {
  machine.start(process, async () => {
    const listener = listen();
    for (;;) {
      const connection = await listener.accept();
      void (async () => {
        for (let text; (text = await readText(connection)) !== null;) {
          await connection.write(octets(text + text));
        }
        connection.close();
      })().catch(() => connection[Symbol.dispose]());
    }
  });
}

Deno.test("a process that is killed hangs up, and leaves its socket's file, where nobody listens", async () => {
  const machine = machineWith();
  const server = machine.process("server");
  const client = machine.process("client");
  startEcho(machine, server);
  const connection = await machine.run(client, async () => {
    const connection = await connect();
    await connection.write(octets("ab"));
    assert.equal(await readText(connection), "abab");
    return connection;
  });
  const waiting = machine.start(client, () => readText(connection));
  await machine.pass(5000);
  assert.equal(waiting.settled, undefined);
  server.kill();
  await machine.pass(5000);
  assert.deepEqual(waiting.settled, { value: null });
  await machine.run(client, async () => {
    await assert.rejects(connection.write(octets("x")), Deno.errors.BrokenPipe);
    await assert.rejects(connect(), Deno.errors.ConnectionRefused);
    assert.throws(() => listen(), Deno.errors.AddrInUse);
    Deno.removeSync(PATH);
    await assert.rejects(connect(), Deno.errors.NotFound);
  });
  assert.deepEqual(machine.defects, []);
});

Deno.test("a process that dies at any of its calls has done those before, and learns of nothing after", async () => {
  for (let calls = 0;; calls++) {
    const machine = machineWith();
    const server = machine.process("server");
    const client = machine.process("client");
    const got: (string | null)[] = [];
    machine.start(server, async () => {
      const connection = await listen().accept();
      do got.push(await readText(connection)); while (got.at(-1) !== null);
    });
    await machine.pass(1000);
    client.killAfter(calls);
    const steps: string[] = [];
    machine.start(client, async () => {
      const connection = await connect();
      steps.push("connected");
      await connection.write(octets("a"));
      steps.push("a");
      await connection.write(octets("b"));
      steps.push("b");
      connection.close();
      steps.push("closed");
    });
    await machine.pass(1e6);
    const expected = ["connected", "a", "b", "closed"].slice(0, calls);
    assert.deepEqual(steps, expected);
    const text = got.join("");
    assert.equal(text, "ab".slice(0, Math.max(0, calls - 1)));
    assert.equal(got.at(-1), calls === 0 ? undefined : null, "the server is told of the end");
    assert.deepEqual(machine.defects, []);
    if (calls === 4) break;
  }
});

Deno.test("a result that is on its way to a process does not arrive after its death", async () => {
  const machine = machineWith();
  const server = machine.process("server");
  const client = machine.process("client", { latency: () => 1000 });
  startEcho(machine, server);
  const connection = await machine.run(client, () => connect());
  const writing = machine.start(client, () => connection.write(octets("x")));
  const reading = machine.start(client, () => readText(connection));
  await machine.pass(500);
  client.kill();
  await machine.pass(1e6);
  assert.deepEqual([writing.settled, reading.settled], [undefined, undefined]);
});

Deno.test("a connection takes a descriptor: too many are EMFILE, and who was not accepted waits", async () => {
  const machine = machineWith();
  const server = machine.process("server", { descriptors: 5 });
  const client = machine.process("client", { descriptors: 7 });
  const emfile = { name: "Error", code: "EMFILE" };
  const listener = await machine.run(server, () => {
    const listener = listen();
    listen("/world/run/2"); // stays open
    assert.throws(() => listen("/world/run/3"), emfile);
    assert.equal(machine.files.node("/world/run/3"), undefined);
    assert.throws(() => Deno.createSync("/world/run/file"), emfile);
    assert.equal(machine.files.node("/world/run/file"), undefined);
    return Promise.resolve(listener);
  });
  await machine.run(client, async () => {
    const connection = await connect();
    await connection.write(octets("waits"));
    await connect();
    await connect();
    await connect();
    await assert.rejects(connect(), emfile);
  });
  await machine.run(server, async () => {
    await assert.rejects(listener.accept(), emfile);
    await assert.rejects(listener.accept(), emfile);
    server.descriptors = 6;
    const accepted = await listener.accept();
    assert.equal(await readText(accepted), "waits");
    await assert.rejects(listener.accept(), emfile);
    accepted.close();
    await listener.accept();
  });
  client.kill();
  server.kill();
  assert.deepEqual(machine.defects, []);
});

Deno.test("a listener's queue has a bound", async () => {
  const machine = machineWith();
  machine.sockets.backlog = 3;
  const process = machine.process("program");
  await machine.run(process, async () => {
    const listener = listen();
    for (let i = 0; i <= 3; i++) await connect();
    await assert.rejects(connect(), Deno.errors.WouldBlock);
    await listener.accept();
    await connect();
  });
});

Deno.test("small buffers: writes are short, and everything arrives in its order", async () => {
  const machine = machineWith();
  machine.sockets.capacity = 4608;
  const [server, client] = [machine.process("server"), machine.process("client")];
  const sent = Uint8Array.from({ length: 50_000 }, (_, i) => i % 251);
  const counts: number[] = [];
  const received: number[] = [];
  const serving = machine.start(server, async () => {
    const connection = await listen().accept();
    const buffer = new Uint8Array(777);
    for (let count; (count = await connection.read(buffer)) !== null;) {
      received.push(...buffer.subarray(0, count));
      await new Promise<void>((resolve) => void server.main.post(machine.random.below(3000), resolve));
    }
  });
  await machine.pass(1000);
  await machine.run(client, async () => {
    const connection = await connect();
    for (let done = 0; done < sent.length; done += counts.at(-1)!) {
      counts.push(await connection.write(sent.subarray(done)));
    }
    connection.close();
  });
  await machine.pass(1e6);
  assert.deepEqual(serving.settled, { value: undefined });
  assert.deepEqual(received, [...sent]);
  assert(counts.length > 10 && Math.max(...counts) < 4608, `${counts}`);
});

Deno.test("calls can be made to fail, for want of memory", async () => {
  const machine = machineWith();
  const process = machine.process("program");
  await machine.run(process, async () => {
    machine.sockets.fail("listen", "ENOBUFS", 1);
    assert.throws(() => listen(), { code: "ENOBUFS" });
    const listener = listen();
    machine.sockets.fail("connect", "ENOMEM", 1);
    await assert.rejects(connect(), { code: "ENOMEM" });
    const client = await connect();
    machine.sockets.fail("accept", "ENFILE", 2);
    await assert.rejects(listener.accept(), { code: "ENFILE" });
    await assert.rejects(listener.accept(), { code: "ENFILE" });
    const server = await listener.accept();
    machine.sockets.fail("write", "ENOBUFS", 1);
    await assert.rejects(client.write(octets("x")), { code: "ENOBUFS" });
    await client.write(octets("y"));
    assert.equal(await readText(server), "y");
  });
});

Deno.test("a socket's mode says who may connect", async () => {
  const machine = machineWith();
  const server = machine.process("server");
  const [stranger, member] = [machine.process("stranger"), machine.process("member")];
  actAs(stranger, { uid: 1000, gid: 1000, groups: [] });
  actAs(member, { uid: 1001, gid: 1001, groups: [7] });
  const listener = await machine.run(server, () => {
    const listener = listen();
    Deno.chmodSync(PATH, 0o600);
    return Promise.resolve(listener);
  });
  for (const process of [stranger, member]) {
    await machine.run(process, () => assert.rejects(connect(), Deno.errors.PermissionDenied));
  }
  await machine.run(server, () => {
    Deno.chownSync(PATH, null, 7);
    return Promise.resolve(Deno.chmodSync(PATH, 0o660));
  });
  await machine.run(stranger, () => assert.rejects(connect(), Deno.errors.PermissionDenied));
  await machine.run(member, () => connect());
  await machine.run(server, () => listener.accept());
  await machine.run(stranger, () => {
    assert.throws(() => Deno.removeSync(PATH), Deno.errors.PermissionDenied);
    assert.throws(() => listen("/world/run/2"), Deno.errors.PermissionDenied);
    assert.throws(() => Deno.chmodSync(PATH, 0o666), Deno.errors.PermissionDenied);
    return Promise.resolve();
  });
});

Deno.test("the same seed makes the same log, another seed another", async () => {
  const run = async (seed: number): Promise<string> => {
    const machine = machineWith(seed);
    machine.sockets.capacity = 2000;
    const server = machine.process("server");
    startEcho(machine, server);
    const log: string[] = [];
    for (let i = 0; i < 20; i++) {
      const client = machine.process(`client ${i}`);
      machine.clock.after(machine.random.below(20_000), () => {
        machine.start(client, async () => {
          const connection = await connect();
          log.push(`${machine.clock.now} ${client.name} connected`);
          for (let line = 0; line < 5; line++) {
            await connection.write(octets(`${i} ${line} `.repeat(8)));
            log.push(`${machine.clock.now} ${client.name} ${await readText(connection)}`);
          }
          connection.close();
        });
      });
    }
    machine.clock.after(30_000, () => server.kill());
    await machine.pass(1e6);
    assert.deepEqual(machine.defects, []);
    return log.join("\n");
  };
  const first = await run(5);
  assert(first.split("\n").length > 60, first);
  for (let again = 0; again < 20; again++) assert.equal(await run(5), first);
  assert.notEqual(await run(6), first);
});
