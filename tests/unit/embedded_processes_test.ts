// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { POLL } from "../../ffi/libc/libc.ts";
import { PollSet } from "../../ffi/libc/poll_set.ts";
import { fifoPath } from "../../lib/xen/embedded/layout.ts";
import { withSandbox } from "../../lib/xen/embedded/sandbox.ts";
import { socketPath } from "../../lib/xen/embedded/layout.ts";
import { Xs } from "../../lib/xen/embedded/server/wire.ts";
import { adoptEventChannels, openXen } from "../../lib/xen/mod.ts";
import { EventChannelError, type EventChannels, GrantError, type Xen } from "../../lib/xen/ports.ts";
import { WireClient } from "./xenstore_wire_client.ts";

const PATIENCE_MS = 10_000;

interface Peer extends AsyncDisposable {
  readonly process: Deno.ChildProcess;
  readonly grefs: number[];
  readonly port: number;
}

/** Starts `embedded_peer.ts` as domain `domid`. */
async function startPeer(sandbox: string, domid: number): Promise<Peer> {
  const script = new URL("./embedded_peer.ts", import.meta.url).pathname;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", script, sandbox, String(domid)],
    stdout: "piped",
  }).spawn();
  let text = "";
  for await (const chunk of process.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.endsWith("\n")) break;
  }
  const stop = async () => {
    try {
      process.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // the process has already ended
    }
    await process.status;
  };
  return { process, ...JSON.parse(text), [Symbol.asyncDispose]: stop };
}

/** Returns the next port with an event. Blocks this thread, as the engine does. */
function wait(channels: EventChannels): number {
  const set = new PollSet(1);
  set.add(channels.fd, POLL.IN);
  for (let port;;) {
    assert.equal(set.wait(PATIENCE_MS), 1, "no event");
    if ((port = channels.pending()) >= 0) return port;
  }
}

function inSandbox(domains: string[], body: (sandbox: string, dom0: Xen) => Promise<void>): Promise<void> {
  return withSandbox({ domains }, async ({ directory }) => {
    using dom0 = await openXen({ sandbox: directory });
    await body(directory, dom0);
  });
}

Deno.test("two processes share pages and events", () =>
  inSandbox(["domU"], async (sandbox, dom0) => {
    await using peer = await startPeer(sandbox, 1);
    using table = dom0.openGrantTable();
    using channels = dom0.openEventChannels();
    using mapping = table.map(1, peer.grefs, "write");
    const words = new Int32Array(mapping.buffer);
    const port = channels.bindInterdomain(1, peer.port);
    assert.equal(wait(channels), port);
    channels.unmask(port);
    for (let round = 1; round <= 2000; round++) {
      Atomics.store(words, 0, round);
      channels.notify(port);
      assert.equal(wait(channels), port);
      assert.equal(Atomics.load(words, 1024), round + 1);
      channels.unmask(port);
    }
    Atomics.store(words, 0, -1);
    channels.notify(port);
    assert.equal((await peer.process.status).code, 0);
  }));

Deno.test("a killed process's grants are revoked, what is mapped of them stays, and its ports are closed", () =>
  inSandbox(["domU"], async (sandbox, dom0) => {
    await using peer = await startPeer(sandbox, 1);
    using table = dom0.openGrantTable();
    using channels = dom0.openEventChannels();
    using mapping = table.map(1, peer.grefs, "write");
    const port = channels.bindInterdomain(1, peer.port);
    await peer[Symbol.asyncDispose]();

    new Int32Array(mapping.buffer).fill(9);
    assert.throws(() => table.map(1, peer.grefs, "write"), GrantError);
    for (let times = 0; times < 100_000; times++) assert.equal(channels.notify(port), 0);

    using domU = await openXen({ sandbox, domid: 1 });
    using successor = domU.openEventChannels();
    using sharer = domU.openGrantSharer();
    const fresh = successor.bindUnbound(0);
    channels.unbind(port);
    const again = channels.bindInterdomain(1, fresh);
    for (let each; (each = channels.pending()) !== -1;) channels.unmask(each);
    successor.notify(fresh);
    assert.equal(wait(channels), again);
    using _all = sharer.share(0, 8192 - 8 - peer.grefs.length, "write");
    assert.throws(() => sharer.share(0, 1, "write"), GrantError, "the rest is still mapped here");
    assert.ok(new Int32Array(mapping.buffer).every((word) => word === 9));
    mapping[Symbol.dispose]();
    using rest = sharer.share(0, peer.grefs.length, "write");
    assert.deepEqual(rest.grefs, peer.grefs);
  }));

Deno.test("a killed process's peer can bind its port to another", () =>
  inSandbox(["domU"], async (sandbox, dom0) => {
    using domU = await openXen({ sandbox, domid: 1 });
    using front = domU.openEventChannels();
    await using _peer = await startPeer(sandbox, 1);
    const port = front.bindUnbound(0);
    const script = `
      import { openXen } from ${JSON.stringify(new URL("../../lib/xen/mod.ts", import.meta.url).href)};
      const channels = (await openXen({ sandbox: Deno.args[0] })).openEventChannels();
      channels.bindInterdomain(1, Number(Deno.args[1]));
      Deno.kill(Deno.pid, "SIGKILL");`;
    const { signal } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", script, sandbox, `${port}`],
    })
      .output();
    assert.equal(signal, "SIGKILL");
    assert.equal(front.notify(port), 0);
    using back = dom0.openEventChannels();
    const bound = back.bindInterdomain(1, port);
    for (let each; (each = back.pending()) !== -1;) back.unmask(each);
    front.notify(port);
    assert.equal(wait(back), bound);
  }));

Deno.test("another thread of the process takes and makes the handle's events", () =>
  inSandbox(["domU"], async (sandbox, dom0) => {
    using domU = await openXen({ sandbox, domid: 1 });
    using front = domU.openEventChannels();
    using back = dom0.openEventChannels();
    const rounds = 1000;
    const worker = new Worker(import.meta.resolve("./embedded_worker.ts"), { type: "module" });
    try {
      const message = () => new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
      let answer = message();
      worker.postMessage({ share: back.shareable, rounds });
      assert.equal(await answer, "ready");
      answer = message();
      // This thread binds the port after the other thread has adopted the handle. The binding raises the first event.
      const first = front.bindUnbound(0);
      back.bindInterdomain(1, first);
      assert.equal(wait(front), first);
      front.unmask(first);
      for (let round = 1; round < rounds; round++) {
        front.notify(first);
        assert.equal(wait(front), first);
        front.unmask(first);
      }
      assert.equal(await answer, "done");
    } finally {
      worker.terminate();
    }
  }));

Deno.test("what a handle unbinds is forgotten by the threads that adopted it, and their descriptors closed", () =>
  inSandbox(["domU"], async (sandbox, dom0) => {
    using domU = await openXen({ sandbox, domid: 1 });
    using front = domU.openEventChannels();
    using back = dom0.openEventChannels();
    using adopted = await adoptEventChannels(back.shareable);
    const descriptors: number[] = [];
    for (let round = 0; round < 20; round++) {
      const port = back.bindInterdomain(1, front.bindUnbound(0));
      adopted.notify(port);
      back.unbind(port);
      descriptors.push([...Deno.readDirSync("/proc/self/fd")].length);
    }
    assert.equal(descriptors.at(-1), descriptors[1]);
  }));

Deno.test("a released domain's pages and ports are nobody's, and a later domain of its id has its own", () =>
  inSandbox(["domU"], async (sandbox, dom0) => {
    using store = await WireClient.connect(socketPath(sandbox, 0));
    using table = dom0.openGrantTable();
    using channels = dom0.openEventChannels();
    using former = await openXen({ sandbox, domid: 1 });
    using front = former.openEventChannels();
    using sharer = former.openGrantSharer();
    using shared = sharer.share(0, 1, "write");
    using mapping = table.map(1, shared.grefs, "write");
    const frontPort = front.bindUnbound(0);
    const port = channels.bindInterdomain(1, frontPort);
    assert.equal((await store.call(Xs.RELEASE, ["1"])).error, undefined);

    new Int32Array(mapping.buffer).fill(1);
    assert.throws(() => table.map(1, shared.grefs, "write"), GrantError);
    assert.throws(() => sharer.share(0, 1, "write"), GrantError);
    assert.throws(() => front.bindUnbound(0), EventChannelError);
    assert.throws(() => channels.bindInterdomain(1, frontPort), EventChannelError);
    assert.equal(channels.notify(port), 0);
    await assert.rejects(openXen({ sandbox, domid: 1 }), /cannot open XenStore/);

    assert.equal((await store.call(Xs.INTRODUCE, ["1", "1", "1"])).error, undefined);
    using latter = await openXen({ sandbox, domid: 1 });
    using latterSharer = latter.openGrantSharer();
    using latterFront = latter.openEventChannels();
    using latterShared = latterSharer.share(0, 1, "write");
    using latterMapping = table.map(1, latterShared.grefs, "write");
    assert.ok(new Int32Array(latterMapping.buffer).every((word) => word === 0));
    const latterPort = latterFront.bindUnbound(0);
    const latterBound = channels.bindInterdomain(1, latterPort);
    for (let each; (each = channels.pending()) !== -1;) channels.unmask(each);
    assert.equal(channels.notify(port), 0);
    assert.equal(channels.notify(latterBound), 0);
    assert.equal(wait(latterFront), latterPort);
  }));

Deno.test("an event that was not taken before unbind() is not the next owner's", () =>
  inSandbox([], (_sandbox, dom0) => {
    using back = dom0.openEventChannels();
    using front = dom0.openEventChannels();
    const port = front.bindUnbound(0);
    const local = back.bindInterdomain(0, port);
    back.notify(local);
    front.unbind(port);
    const ports = Array.from({ length: 1021 }, () => front.bindUnbound(0));
    assert.ok(!ports.includes(port), "its number is still under way");
    assert.equal(front.pending(), -1);
    assert.equal(front.bindUnbound(0), port);
    return Promise.resolve();
  }));

Deno.test("ports and handles run out with an error, and come back when they are closed", () =>
  inSandbox([], (sandbox, dom0) => {
    {
      using channels = dom0.openEventChannels();
      for (let count = 1; count < 1024; count++) channels.bindUnbound(0);
      assert.throws(() => channels.bindUnbound(0), EventChannelError);
    }
    const handles = Array.from({ length: 255 }, () => dom0.openEventChannels());
    assert.throws(() => dom0.openEventChannels(), EventChannelError);
    for (const handle of handles) handle[Symbol.dispose]();
    assert.throws(() => Deno.statSync(fifoPath(sandbox, 0, 1)), Deno.errors.NotFound);
    using again = dom0.openEventChannels();
    assert.ok(again.bindUnbound(0) > 0);
    return Promise.resolve();
  }));

Deno.test("notify(), pending() and unmask() allocate nothing", () =>
  inSandbox([], async (sandbox) => {
    const script = new URL("./embedded_allocation.ts", import.meta.url).pathname;
    const flags = "--v8-flags=--trace-gc,--max-semi-space-size=1,--min-semi-space-size=1";
    const { stdout, code } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "-A", flags, script, sandbox],
      stderr: "inherit",
    }).output();
    assert.equal(code, 0);
    const measured = new TextDecoder().decode(stdout).split("measured\n")[1];
    assert.equal(measured, "400000\n", "a line about a collection: something was allocated");
  }));
