// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { socketPath } from "../../lib/xen/embedded/layout.ts";
import { XenstoreServer } from "../../lib/xen/embedded/server/server.ts";
import { encodeMessage, nulTerminated, toOctets, Xs } from "../../lib/xen/embedded/server/wire.ts";
import { WireClient } from "./xenstore_wire_client.ts";

/** Runs `body` with a server in this process, and checks that no connection is left open. */
async function withServer(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync();
  try {
    const server = new XenstoreServer(directory, ["domU"]);
    try {
      await body(directory);
    } finally {
      server[Symbol.dispose]();
      await until(() => server.xenstore.clients.size === 0);
    }
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn === 1000) throw new Error(`never came true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The lines that the server prints on stderr while `body` runs. */
async function reports(body: () => Promise<void>): Promise<string[]> {
  const lines: string[] = [];
  const original = console.error;
  console.error = (line: string) => lines.push(line);
  try {
    await body();
  } finally {
    console.error = original;
  }
  return lines;
}

const connect = (directory: string, domid = 0) => WireClient.connect(socketPath(directory, domid));
const read = (path: string) =>
  encodeMessage({ type: Xs.READ, reqId: 1, txId: 0, payload: nulTerminated([path]) });

Deno.test("a connection has the rights of its socket's domain", () =>
  withServer(async (directory) => {
    using dom0 = await connect(directory);
    using domU = await connect(directory, 1);
    assert.equal((await dom0.call(Xs.READ, ["name"])).text, "Domain-0");
    assert.equal((await domU.call(Xs.READ, ["name"])).text, "domU");
    assert.equal((await domU.call(Xs.DIRECTORY, ["/"])).error, "EACCES");
  }));

Deno.test("requests may arrive octet by octet, or many in one packet", () =>
  withServer(async (directory) => {
    using slow = await connect(directory);
    for (
      const octet of encodeMessage({ type: Xs.MKDIR, reqId: 99, txId: 0, payload: nulTerminated(["/made"]) })
    ) {
      await slow.send(Uint8Array.of(octet));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    using many = await connect(directory);
    const replies = await Promise.all(
      Array.from({ length: 500 }, () => many.call(Xs.DIRECTORY, ["/local/domain"])),
    );
    assert.ok(replies.every(({ text }) => text === "0\x001\0"));
    assert.match((await many.call(Xs.DIRECTORY, ["/"])).text, /made/);
  }));

Deno.test("garbage costs a client its connection, and nobody else anything", () =>
  withServer(async (directory) => {
    using bystander = await connect(directory);
    const lines = await reports(async () => {
      using vandal = await connect(directory, 1);
      await vandal.send(new Uint8Array(64).fill(0xff));
      await vandal.closed;
    });
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /connection of domain 1: a message of 4294967295 octets/);
    for (let seed = 1; seed <= 50; seed++) {
      using vandal = await connect(directory, seed % 2);
      const noise = Uint8Array.from({ length: 400 }, (_, index) => (seed * 31 + index * index * 17) & 0xff);
      // A valid length: the server parses the noise as requests.
      new DataView(noise.buffer).setUint32(12, 100, true);
      await reports(() => vandal.send(noise));
      vandal.connection.closeWrite();
      await vandal.closed;
    }
    assert.equal((await bystander.call(Xs.READ, ["name"])).text, "Domain-0");
  }));

Deno.test("a client that closed its sending side still gets its replies", () =>
  withServer(async (directory) => {
    const connection = await Deno.connect({ transport: "unix", path: socketPath(directory, 0) });
    await connection.write(read("/local/domain/0/name"));
    await connection.closeWrite();
    const octets = new Uint8Array(await new Response(connection.readable).arrayBuffer());
    assert.deepEqual(
      octets,
      encodeMessage({ type: Xs.READ, reqId: 1, txId: 0, payload: toOctets("Domain-0") }),
    );
  }));

Deno.test("a client that asks without reading the replies is not read from, and stalls nobody", () =>
  withServer(async (directory) => {
    using other = await connect(directory);
    await other.raw(Xs.WRITE, `/big\0${"v".repeat(4000)}`);
    const connection = await Deno.connect({ transport: "unix", path: socketPath(directory, 0) });
    const requests = 4000;
    let sent = 0;
    const sending = (async () => {
      for (; sent < requests; sent++) {
        const octets = read("/big");
        for (let at = 0; at < octets.length;) at += await connection.write(octets.subarray(at));
      }
    })();
    // 16 MB of replies do not fit into the socket, so the client's requests stall at some point.
    for (let before = -1; before !== sent;) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal((await other.call(Xs.READ, ["name"])).text, "Domain-0");
    }
    assert.ok(sent < requests, `all ${sent} requests were taken`);
    let received = 0;
    const buffer = new Uint8Array(1 << 16);
    while (received < requests * 4016) received += (await connection.read(buffer))!;
    await sending;
    assert.equal(received, requests * 4016);
    connection.close();
  }));

Deno.test("equal events that wait to be read are one", () =>
  withServer(async (directory) => {
    using writer = await connect(directory);
    const sleeper = await Deno.connect({ transport: "unix", path: socketPath(directory, 0) });
    const watch = nulTerminated(["/a", "t".repeat(2000)]);
    await sleeper.write(encodeMessage({ type: Xs.WATCH, reqId: 1, txId: 0, payload: watch }));
    // Unmerged, these events are 3 MB: more than the server keeps for one connection.
    for (let round = 0; round < 1500; round++) await writer.call(Xs.WRITE, ["/a/b"]);
    await sleeper.write(read("/local/domain/0/name"));
    let text = "";
    const buffer = new Uint8Array(1 << 16);
    while (!text.endsWith("Domain-0")) {
      text += new TextDecoder().decode(buffer.subarray(0, (await sleeper.read(buffer))!));
    }
    const events = text.split("/a/b\0").length - 1;
    assert.ok(events > 1 && events < 1000, `${events} events`);
    sleeper.close();
  }));

Deno.test("a client that never reads its events is cut off; the others do not notice", () =>
  withServer(async (directory) => {
    using writer = await connect(directory);
    const sleeper = await Deno.connect({ transport: "unix", path: socketPath(directory, 1) });
    const token = "t".repeat(2000);
    await sleeper.write(
      encodeMessage({
        type: Xs.WATCH,
        reqId: 1,
        txId: 0,
        payload: nulTerminated(["/local/domain/1/data", token]),
      }),
    );
    const lines = await reports(async () => {
      for (let node = 0; node < 1500; node++) await writer.call(Xs.WRITE, [`/local/domain/1/data/${node}`]);
    });
    assert.deepEqual(lines.map((line) => line.replace(/:.*/, "")), ["xenstored"]);
    assert.match(lines[0]!, /closed a connection of domain 1: the peer does not read/);
    const buffer = new Uint8Array(1 << 16);
    const drain = async () => {
      while (await sleeper.read(buffer) !== null);
    };
    await drain().catch((error) => assert.ok(error instanceof Deno.errors.ConnectionReset, error));
    sleeper.close();
    assert.equal((await writer.call(Xs.READ, ["name"])).text, "Domain-0");
  }));

Deno.test("a guest has no more than 64 connections at a time", () =>
  withServer(async (directory) => {
    const clients = [];
    for (let count = 0; count < 64; count++) {
      const client = await connect(directory, 1);
      await client.call(Xs.READ, ["name"]);
      clients.push(client);
    }
    using refused = await connect(directory, 1);
    await refused.closed;
    using dom0 = await connect(directory);
    assert.equal((await dom0.call(Xs.READ, ["name"])).text, "Domain-0");
    clients.pop()![Symbol.dispose]();
    const admitted = async () => {
      using client = await connect(directory, 1);
      const reply = await Promise.race([client.call(Xs.READ, ["name"]).catch(() => {}), client.closed]);
      return reply?.text === "domU";
    };
    while (!await admitted());
    for (const client of clients) client[Symbol.dispose]();
  }));

Deno.test("INTRODUCE opens a domain's socket and makes its files; RELEASE takes them away and hangs up", () =>
  withServer(async (directory) => {
    using dom0 = await connect(directory);
    await dom0.call(Xs.WATCH, ["@introduceDomain", "t"]);
    await dom0.call(Xs.WATCH, ["@releaseDomain", "t"]);
    await dom0.take(2);
    const names = () =>
      [...Deno.readDirSync(directory)].map(({ name }) => name).filter((name) => /7/.test(name)).sort();
    await dom0.call(Xs.MKDIR, ["/local/domain/7"]);
    await dom0.call(Xs.SET_PERMS, ["/local/domain/7", "n7"]);
    assert.equal((await dom0.call(Xs.INTRODUCE, ["7", "1", "1"])).text, "OK\0");
    assert.deepEqual(names(), ["evtchn-7", "grants-7", "xenstored-7.sock"]);
    using dom7 = await connect(directory, 7);
    assert.equal((await dom7.call(Xs.WRITE, ["data/x"])).text, "OK\0");
    assert.equal((await dom0.call(Xs.RELEASE, ["7"])).text, "OK\0");
    await dom7.closed;
    assert.deepEqual(names(), []);
    await assert.rejects(connect(directory, 7), Deno.errors.NotFound);
    assert.deepEqual(await dom0.take(2), ["@introduceDomain|t", "@releaseDomain|t"]);
    assert.equal((await dom0.call(Xs.INTRODUCE, ["7", "1", "1"])).text, "OK\0", "the id can be used again");
    using later = await connect(directory, 7);
    assert.equal((await later.call(Xs.READ, ["data/x"])).error, "EACCES");
  }));
