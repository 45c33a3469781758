// SPDX-License-Identifier: MIT
/** Guests' kernels of the world: pages, event channels and XenStore by plain calls, call-backs by the clock. */
import assert from "node:assert/strict";
import { openNativeXen } from "../../../lib/xen/native/xen.ts";
import { destroyDomain, makeDomain, renameDomain, restoreDomain, saveDomain } from "./domain_nodes.ts";
import { type GuestDomain, GuestStoreError } from "./guest_domain.ts";
import { Bench } from "./xen_bench.ts";

const isRefused = (code: string) => (error: unknown) =>
  error instanceof GuestStoreError && error.code === code;

/** Declares a test that drives the machine from outside of its processes. */
function test(name: string, body: (bench: Bench) => void | Promise<void>): void {
  Deno.test(name, async () => {
    const bench = new Bench();
    await body(bench);
    bench.end();
  });
}

test("a guest and a backend see each other's octets and events", async (bench) => {
  const { kernel } = bench;
  const shared = kernel.share(2, 0);
  const ours = new Int32Array(shared.buffer);
  const heard: number[] = [];
  const port = kernel.bindUnbound(0, () => heard.push(bench.clock.now));
  await bench.run(async () => {
    using xen = openNativeXen();
    using table = xen.openGrantTable();
    using channels = xen.openEventChannels();
    const theirs = new Int32Array(table.map(1, shared.grefs, "write").buffer);
    const end = channels.bindInterdomain(1, port);
    assert.equal(channels.pending(), end, "binding raises an event at the binder's end");
    ours[1024] = 7;
    kernel.notify(port);
    assert.equal(channels.pending(), -1, "and masks the port");
    channels.unmask(end);
    assert.equal(channels.pending(), end);
    assert.equal(theirs[1024], 7);
    theirs[0] = 8;
    for (let times = 0; times < 3; times++) channels.notify(end);
    assert.deepEqual(heard, [], "no call-back comes out of a call");
    await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(heard.length, 1, "events that come together are one");
    channels.notify(end);
    await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(heard.length, 2);
  });
  assert.equal(ours[0], 8);
  kernel.notify(port);
  kernel.closePort(port);
  kernel.notify(port);
  shared.revoke();
  shared.revoke();
  assert.ok(shared.buffer.detached);
});

test("a page that is mapped stays the backend's until it is unmapped", async (bench) => {
  const { kernel, guest } = bench;
  const shared = kernel.share(1, 0);
  await bench.run(() => {
    using xen = openNativeXen();
    using table = xen.openGrantTable();
    table.map(1, shared.grefs, "write");
    shared.revoke();
    assert.deepEqual([guest.ram.used, guest.grants.size], [1, 1]);
  });
  assert.deepEqual([guest.ram.used, guest.grants.size], [0, 0]);
});

test("a paused guest hears nothing, and hears it later; a destroyed one never does", async (bench) => {
  const { kernel, guest, xen } = bench;
  const heard: string[] = [];
  kernel.store.watch("data", (path) => heard.push(path));
  kernel.after(100, () => heard.push("timer"));
  guest.pause();
  await bench.pass(10_000);
  assert.deepEqual([heard, kernel.isPaused], [[], true]);
  guest.unpause();
  await bench.pass(10_000);
  assert.deepEqual(heard.sort(), ["data", "timer"]);
  kernel.store.write("data/x", "1");
  const cancel = kernel.after(1, () => heard.push("never"));
  cancel();
  kernel.after(1, () => heard.push("never"));
  destroyDomain(xen, guest);
  await bench.pass(10_000);
  assert.deepEqual([heard.length, kernel.isAlive], [2, false]);
  assert.throws(() => kernel.store.read("name"), isRefused("EPIPE"));
  assert.throws(() => kernel.share(1, 0), GuestStoreError);
});

test("a guest has the rights of its domain", ({ kernel, xen }) => {
  const { store } = kernel;
  assert.equal(store.read("name"), "domU");
  assert.equal(store.read("/local/domain/1/domid"), "1");
  assert.throws(() => store.read("/local/domain/0/name"), isRefused("EACCES"));
  assert.throws(() => store.write("name", "mine"), isRefused("EACCES"));
  assert.equal(store.read("data/nothing"), undefined);
  store.write("data/a/b", "ä");
  store.mkdir("data/c");
  assert.deepEqual([store.read("data/a/b"), store.list("data")], ["ä", ["a", "c"]]);
  store.setPermissions("data/c", [{ domid: 1, access: "read" }]);
  assert.deepEqual(store.getPermissions("data/c"), [{ domid: 1, access: "read" }]);
  store.remove("data/a");
  store.remove("data/a");
  assert.equal(store.read("data/a/b"), undefined);
  let attempts = 0;
  store.transaction((view) => {
    if (attempts++ === 0) store.write("data/c", "other");
    view.write("data/c", `${view.read("data/c")}, mine`);
  });
  assert.deepEqual([attempts, store.read("data/c")], [2, "other, mine"]);
  renameDomain(xen, 1, "other");
  assert.equal(store.read("name"), "other");
});

test("a guest's watches outlive a lost XenStore", async ({ kernel, xen, ...bench }) => {
  const heard: string[] = [];
  const end = kernel.store.watch("data", (path) => heard.push(path));
  const pass = (micros: number) => bench.clock.runUntil(bench.clock.now + micros);
  await pass(10_000);
  xen.xenstored.die();
  assert.throws(() => kernel.store.read("name"), isRefused("EPIPE"));
  await pass(10_000);
  xen.xenstored.comeBack();
  await pass(10_000);
  assert.deepEqual(heard, ["data", "data"]);
  kernel.store.write("data/x", "1");
  await pass(10_000);
  assert.equal(heard.at(-1), "data/x");
  end();
  kernel.store.write("data/y", "1");
  await pass(10_000);
  assert.equal(heard.length, 3);
});

test("an id that is used again is another domain's", async (bench) => {
  const { xen, guest, kernel } = bench;
  kernel.store.write("data/secret", "1");
  const shared = kernel.share(1, 0);
  await bench.run(async () => {
    using native = openNativeXen();
    using table = native.openGrantTable();
    using watch = native.store.watch("@releaseDomain");
    const events = watch[Symbol.asyncIterator]();
    await events.next();
    const mapping = table.map(1, shared.grefs, "write");
    destroyDomain(xen, guest);
    const next = xen.kernel(makeDomain(xen, { domid: 1, name: "domV" }));
    assert.equal((await events.next()).value, "@releaseDomain");
    assert.deepEqual([next.store.read("name"), next.store.read("data/secret")], ["domV", undefined]);
    next.store.write("data/mine", "1");
    assert.throws(() => table.map(1, shared.grefs, "write"), /EINVAL/);
    const later = next.share(1, 0);
    new Uint8Array(later.buffer).fill(1);
    assert.equal(new Uint8Array(mapping.buffer)[0], 0);
    later.revoke();
    assert.equal(xen.hypervisor.zombies, 1);
  });
  assert.equal(xen.hypervisor.zombies, 0);
});

test("a restored guest has its memory, another id, and neither grants nor ports", async (bench) => {
  const { xen, guest, kernel } = bench;
  const changes: string[] = [];
  kernel.store.watch("data", (path) => changes.push(path));
  await bench.pass(10_000);
  const shared = kernel.share(2, 0);
  const ours = new Int32Array(shared.buffer);
  ours[1500] = 42;
  const port = kernel.bindUnbound(0, () => {});
  let restores = 0;
  kernel.onRestored(() => restores++);
  await bench.run(() => {
    using native = openNativeXen();
    using table = native.openGrantTable();
    using channels = native.openEventChannels();
    const mapping = table.map(1, shared.grefs, "write");
    const end = channels.bindInterdomain(1, port);
    saveDomain(xen, guest);
    assert.deepEqual([kernel.isAlive, kernel.isPaused], [true, true]);
    restoreDomain(xen, guest, "domU", 5);
    assert.deepEqual([kernel.domid, kernel.store.read("name")], [5, "domU"]);
    assert.equal(ours[1500], 42);
    new Int32Array(mapping.buffer).fill(1);
    assert.equal(ours[1500], 42, "the backend's mapping is of pages that are gone");
    assert.equal(channels.notify(end), 0);
    assert.throws(() => table.map(5, shared.grefs, "write"), /EINVAL/);
    assert.equal(xen.hypervisor.zombies, 1);
  });
  changes.length = 0;
  await bench.pass(10_000);
  assert.equal(restores, 0);
  guest.unpause();
  await bench.pass(10_000);
  assert.deepEqual(changes, ["data"], "its watches are set again");
  assert.equal(restores, 1);
  shared.revoke();
  assert.deepEqual([guest.ram.used, xen.hypervisor.zombies], [0, 0]);
});

/** Two guests and a backend that answers each request on a page. Returns all that happened, with its time. */
async function conversation(seed: number): Promise<string[]> {
  const log: string[] = [];
  const bench = new Bench(seed);
  const note = (text: string) => log.push(`${bench.clock.now} ${text}`);
  const guests: GuestDomain[] = [bench.kernel, bench.xen.kernel(makeDomain(bench.xen, { name: "domV" }))];
  const starts = guests.map((guest) => {
    const page = guest.share(1, 0);
    const words = new Int32Array(page.buffer);
    const port = guest.bindUnbound(0, () => {
      note(`domain ${guest.domid}: answer ${words[1]}`);
      if (words[0]! < 20) guest.after(guest.random.below(500), request);
    });
    const request = () => {
      words[0]!++;
      guest.notify(port);
      guest.store.write("data/requests", String(words[0]));
    };
    guest.after(guest.random.below(1000), request);
    return { page, port, domid: guest.domid };
  });
  await bench.run(async () => {
    using xen = openNativeXen();
    using table = xen.openGrantTable();
    using channels = xen.openEventChannels();
    using watch = xen.store.watch("/local/domain");
    const following = (async () => {
      for await (const path of watch) note(`${path} = ${xen.store.read(path)}`);
    })();
    const ends = new Map(starts.map(({ page, port, domid }) => {
      const words = new Int32Array(table.map(domid, page.grefs, "write").buffer);
      return [channels.bindInterdomain(domid, port), words];
    }));
    for (let round = 0; round < 200; round++) {
      for (let port; (port = channels.pending()) !== -1;) {
        const words = ends.get(port)!;
        note(`backend: request ${words[0]} on ${port}`);
        words[1] = words[0]! * 2;
        channels.unmask(port);
        channels.notify(port);
      }
      await new Promise((resolve) => setTimeout(resolve, 0.1));
    }
    watch[Symbol.dispose]();
    await following;
  });
  for (const { page } of starts) page.revoke();
  guests.forEach((guest, index) => guest.closePort(starts[index]!.port));
  bench.end();
  return log;
}

Deno.test("the same seed gives the same events at the same times, another seed gives others", async () => {
  const first = await conversation(7);
  assert.deepEqual(await conversation(7), first);
  assert.ok(first.length > 100, `${first.length}`);
  assert.notDeepEqual(await conversation(8), first);
});
