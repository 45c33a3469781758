// SPDX-License-Identifier: MIT
/** The world's Xen when something goes wrong: a killed process, misused memory, refusals, a XenStore that dies and comes back. */
import assert from "node:assert/strict";
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { copyMemory, Memory } from "../../../ffi/libc/memory.ts";
import { openNativeEventChannels } from "../../../lib/xen/native/event_channels.ts";
import { NativeGrantSharer, NativeGrantTable } from "../../../lib/xen/native/grants.ts";
import {
  EventChannelError,
  GrantError,
  isStoreLost,
  type Mapping,
  StoreError,
} from "../../../lib/xen/ports.ts";
import { openStore } from "../../../lib/xen/store/library_store.ts";
import { reconnectingStore } from "../../../lib/xen/store/reconnecting_store.ts";
import { isStoreError, until } from "../../unit/store_contract.ts";
import { addressSpace } from "./address_space.ts";
import { processCounters } from "./counters.ts";
import { destroyDomain } from "./domain_nodes.ts";
import { Bench, test } from "./xen_bench.ts";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("a call that fails says what was tried, and why", ({ kernel }) => {
  using table = new NativeGrantTable();
  using channels = openNativeEventChannels();
  const { grefs, revoke } = kernel.share(1, 0);
  revoke();
  const message = `cannot map 1 page(s) of domain 1, from grant reference ${grefs[0]} on: EINVAL`;
  assert.throws(() => table.map(1, grefs, "write"), { name: "GrantError", message });
  const bound = "cannot bind to port 10 of domain 1: EINVAL";
  assert.throws(() => channels.bindInterdomain(1, 10), { name: "EventChannelError", message: bound });
  assert.throws(() => channels.bindInterdomain(9, 10), /domain 9: ESRCH$/);
  assert.throws(() => channels.unbind(33), EventChannelError);
});

test("closed handles throw, and leave nothing", async ({ xen, process, kernel }) => {
  const table = new NativeGrantTable();
  const shared = kernel.share(2, 0);
  const mapping = table.map(1, shared.grefs, "write");
  const sharer = new NativeGrantSharer();
  const own = sharer.share(1, 2, "write");
  const channels = openNativeEventChannels();
  channels.bindUnbound(1);
  const store = openStore();
  using _watch = store.watch("/closed");
  const none = { connections: 0, watches: 0, transactions: 0, mappings: 0, pages: 0, ports: 0 };
  const some = { connections: 1, watches: 1, transactions: 0, mappings: 1, pages: 2, ports: 1 };
  assert.deepEqual(processCounters(xen, process), some);
  for (const each of [table, sharer, channels, store, table, sharer, channels, store]) each[Symbol.dispose]();
  assert.deepEqual([mapping.buffer.detached, own.buffer.detached], [true, true]);
  assert.deepEqual(processCounters(xen, process), none);
  await sleep(1);
  assert.equal(process.files.size, 0);
  assert.throws(() => table.map(1, shared.grefs, "write"), /the grant table handle is closed/);
  assert.throws(() => channels.notify(10), TypeError);
  shared.revoke();
});

test("the hypervisor and the kernel refuse what they are told to refuse", ({ xen, process, kernel, guest }) => {
  const { hypervisor } = xen;
  using table = new NativeGrantTable();
  using channels = openNativeEventChannels();
  const shared = kernel.share(4, 0);
  hypervisor.refusals = 1;
  hypervisor.refusalErrno = ERRNO.ENOMEM;
  const isOutOfMemory = (error: unknown) => error instanceof GrantError && error.isOutOfMemory;
  assert.throws(() => table.map(1, shared.grefs, "write"), isOutOfMemory);
  hypervisor.maxMappedPages = 3;
  assert.throws(() => table.map(1, shared.grefs, "write"), isOutOfMemory);
  hypervisor.maxMappedPages = 4;
  table.map(1, shared.grefs, "write")[Symbol.dispose]();
  hypervisor.domain(0)!.ports.refusals = 1;
  assert.throws(() => channels.bindUnbound(1), /ENOMEM/);
  process.descriptors = 3 + process.files.size;
  for (const open of [openNativeEventChannels, () => new NativeGrantTable()]) assert.throws(open, /EMFILE/);
  assert.throws(() => openStore(), /EMFILE/);
  process.descriptors = 1024;
  shared.revoke();
  assert.deepEqual([guest.ram.used, guest.grants.size], [0, 0]);
});

Deno.test("a process that dies leaves no mapping, port or connection behind", async () => {
  const bench = new Bench();
  const { xen, kernel, guest, process } = bench;
  const shared = kernel.share(3, 0);
  const port = kernel.bindUnbound(0, () => {});
  let mapping: Mapping;
  await bench.run(async () => {
    mapping = new NativeGrantTable().map(1, shared.grefs, "write");
    openNativeEventChannels().bindInterdomain(1, port);
    const store = openStore();
    store.watch("/local");
    await sleep(1);
    assert.equal(xen.xenstored.connections[0]!.watches, 1);
  });
  assert.deepEqual([xen.hypervisor.mappedPages, xen.hypervisor.domain(0)!.ports.count], [3, 1]);
  destroyDomain(xen, guest);
  assert.equal(xen.hypervisor.zombies, 1, "the domain lingers while its pages are mapped");
  process.kill();
  assert.ok(mapping!.buffer.detached);
  assert.deepEqual([xen.hypervisor.zombies, xen.hypervisor.mappedPages], [0, 0]);
  bench.end();
});

Deno.test("a process that is killed in a call has not made that call", async () => {
  const bench = new Bench();
  const { xen, process } = bench;
  process.main.post(0, () => {
    const store = openStore();
    store.write("/test/one", "1");
    process.killAfter(1);
    store.write("/test/two", "2");
    store.write("/test/three", "3");
  });
  await bench.pass(1000);
  assert.equal(process.isAlive, false);
  const view = xen.xenstored.xenstore.database.snapshot.root.children.get("test")!;
  assert.deepEqual([...view.children.keys()], ["one", "two"]);
  bench.end();
});

Deno.test("misused memory is reported, and ends nothing", async () => {
  const bench = new Bench();
  const { kernel } = bench;
  const shared = kernel.share(2, 0);
  const memory = Memory.of(new ArrayBuffer(4096));
  await bench.run(() => {
    using table = new NativeGrantTable();
    const late = table.map(1, shared.grefs, "write");
    const { address } = late;
    const view = Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(address)!, 8192);
    late[Symbol.dispose]();
    assert.ok(view.detached);
    new Deno.UnsafePointerView(Deno.UnsafePointer.create(address)!).copyInto(new Uint8Array(16));
    copyMemory(memory, 0, Memory.mapped(address, 8192), 0, 16);
    Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(address)!, 1);
    copyMemory(Memory.mapped(address, 8192), 4096, memory, 100, 16);
    const reading = table.map(1, shared.grefs, "read");
    copyMemory(memory, 0, Memory.mapped(reading.address, 1 << 20), 8190, 4);
    new Uint8Array(reading.buffer)[5000] = 1;
  });
  assert.equal(new Uint8Array(shared.buffer)[5000], 0);
  shared.revoke();
  bench.end([
    "2 pages of domain 1 are unmapped while 1 views are left",
    "a copy from 2 pages of domain 1 after its end",
    "a view is made over 2 pages of domain 1 after its end",
    "a copy to 2 pages of domain 1 after its end",
    "a copy from 2 pages of domain 1 goes beyond its end",
    "somebody has written to 2 pages of domain 1, which are mapped for reading",
    "somebody has written to 2 pages of domain 1 after its end",
  ]);
  addressSpace.checkPoison();
  assert.equal(bench.reports.length, 7, "each once");
});

test("a lost XenStore ends watches with ECONNRESET, and calls with a lost connection's errors", async ({ xen }) => {
  using store = openStore();
  const watch = store.watch("/lost");
  await until(watch, "/lost");
  xen.xenstored.die();
  await assert.rejects(until(watch, "never"), isStoreError("ECONNRESET", "/lost"));
  watch[Symbol.dispose]();
  for (let times = 0; times < 3; times++) {
    assert.throws(() => store.read("/lost"), (error) => error instanceof StoreError && error.isLost);
  }
  assert.throws(() => openStore(), /cannot open XenStore at .*: ENOENT;/);
  xen.xenstored.comeBack();
  using again = openStore();
  assert.equal(again.read("/local/domain/1/name"), "domU");
});

test("a store that connects again has its watches, and the nodes as they were", async ({ xen }) => {
  using store = reconnectingStore(openStore);
  using watch = store.watch("/kept");
  await until(watch, "/kept");
  store.write("/kept/a", "1");
  await until(watch, "/kept/a");
  xen.xenstored.die();
  assert.throws(() => store.read("/kept/a"), (error) => error instanceof StoreError && error.isLost);
  await sleep(3000);
  assert.throws(() => store.read("/kept/a"), isStoreError("ENOTCONN", "/kept/a"));
  xen.xenstored.comeBack();
  assert.deepEqual(await until(watch, "/kept"), ["/kept"]);
  assert.equal(store.read("/kept/a"), "1");
  store.write("/kept/b", "1");
  await until(watch, "/kept/b");
});

for (const lost of ["done", "not done"] as const) {
  test(`a XenStore that dies in a request has it ${lost}`, ({ xen }) => {
    const { xenstored } = xen;
    using store = openStore();
    using _watch = store.watch("/request");
    xenstored.dieAt(1, lost);
    store.write("/request/first", "1");
    assert.throws(() => store.write("/request/second", "2"), (error) => isStoreLost(error));
    xenstored.comeBack();
    using again = openStore();
    assert.equal(again.read("/request/first"), "1");
    assert.equal(again.read("/request/second"), lost === "done" ? "2" : undefined);
  });
}

test("a slow XenStore takes its time", async ({ xen, process }) => {
  Object.assign(xen.xenstored.requestMicros, { least: 300_000, most: 300_000 });
  using store = openStore();
  await sleep(0);
  const before = process.main.now;
  for (let times = 0; times < 3; times++) store.read("/slow");
  assert.equal(process.main.now - before, 900_000);
});
