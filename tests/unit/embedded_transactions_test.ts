// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import fc from "fast-check";
import { Quota } from "../../lib/xen/embedded/server/view.ts";
import { Xs } from "../../lib/xen/embedded/server/wire.ts";
import { newStore, type TestClient } from "./embedded_store.ts";

Deno.test("a transaction sees its own writes, nobody else's; its commit makes them everybody's", () => {
  const { dom0 } = newStore();
  dom0.write("/a", "before");
  const txId = dom0.begin();
  dom0.write("/b", "other");
  assert.equal(dom0.read("/b", txId), "ENOENT", "a snapshot");
  dom0.write("/new/node", "inside", txId);
  assert.equal(dom0.read("/new/node", txId), "inside");
  assert.equal(dom0.read("/new/node"), "ENOENT");
  assert.equal(dom0.end(txId), "EAGAIN", "it depended on there being no /b");
  const again = dom0.begin();
  dom0.write("/new/node", "inside", again);
  assert.equal(dom0.end(again), "OK");
  assert.equal(dom0.read("/new/node"), "inside");
});

Deno.test("an aborted transaction leaves nothing", () => {
  const { dom0, xenstore } = newStore();
  dom0.watch("/", "t");
  dom0.heard();
  const before = xenstore.database.snapshot;
  const txId = dom0.begin();
  dom0.write("/a", "1", txId);
  dom0.rm("/tool", txId);
  assert.equal(dom0.end(txId, false), "OK");
  assert.equal(xenstore.database.snapshot, before);
  assert.deepEqual(dom0.heard(), []);
  assert.equal(dom0.end(txId), "ENOENT");
});

Deno.test("a write to what a transaction read, wrote, listed or missed is a conflict", () => {
  const conflicts: Record<
    string,
    [inside: (client: TestClient, txId: number) => void, outside: (client: TestClient) => void]
  > = {
    "read, written": [(c, t) => c.read("/a", t), (c) => c.write("/a", "2")],
    "read, removed": [(c, t) => c.read("/a", t), (c) => c.rm("/a")],
    "read, its rights changed": [(c, t) => c.read("/a", t), (c) => c.chmod("/a", "r0")],
    "missed, made": [(c, t) => c.read("/none", t), (c) => c.write("/none", "1")],
    "listed, a child added": [(c, t) => c.list("/a", t), (c) => c.mkdir("/a/new")],
    "listed, a child removed": [(c, t) => c.list("/a", t), (c) => c.rm("/a/b")],
    "written, written": [(c, t) => c.write("/a/b", "1", t), (c) => c.write("/a/b", "2")],
    "a sibling made": [(c, t) => c.write("/a/x", "1", t), (c) => c.write("/a/y", "2")],
    "removed, written below": [(c, t) => c.rm("/a", t), (c) => c.write("/a/b/c", "2")],
    "written, a node above removed": [(c, t) => c.write("/a/b/c", "1", t), (c) => c.rm("/a")],
  };
  for (const [what, [inside, outside]] of Object.entries(conflicts)) {
    const { dom0, connect } = newStore();
    dom0.write("/a/b/c", "1");
    const txId = dom0.begin();
    inside(dom0, txId);
    outside(connect(0));
    assert.equal(dom0.end(txId), "EAGAIN", what);
  }
});

Deno.test("a write elsewhere is no conflict", () => {
  const { dom0, connect } = newStore();
  dom0.write("/a/b/c", "1");
  dom0.write("/z/b", "1");
  const txId = dom0.begin();
  dom0.read("/a/b", txId);
  dom0.list("/a", txId);
  dom0.write("/a/x", "1", txId);
  const other = connect(0);
  other.write("/a/b/c", "2");
  other.write("/a/b/c/d", "2");
  other.rm("/z/b");
  assert.equal(dom0.end(txId), "OK");
  assert.deepEqual([dom0.read("/a/b/c/d"), dom0.read("/a/x"), dom0.read("/z/b")], ["2", "1", "ENOENT"]);
});

Deno.test("of two transactions that read what the other writes, the second to commit loses", () => {
  const { dom0, domU } = newStore();
  dom0.write("/local/domain/1/data/a", "1");
  dom0.write("/local/domain/1/data/b", "1");
  dom0.chmod("/local/domain/1/data/a", "n1");
  const [ours, theirs] = [dom0.begin(), domU.begin()];
  dom0.read("/local/domain/1/data/a", ours);
  dom0.write("/local/domain/1/data/b", "0", ours);
  domU.write("data/a", "0", theirs);
  assert.equal(domU.end(theirs), "OK");
  assert.equal(dom0.end(ours), "EAGAIN");
});

Deno.test("watches fire at the commit, once for each path", () => {
  const { dom0, connect } = newStore();
  const watcher = connect(0);
  watcher.watch("/a", "t");
  watcher.heard();
  const txId = dom0.begin();
  dom0.write("/a/b", "1", txId);
  dom0.write("/a/b", "2", txId);
  dom0.call(Xs.SET_PERMS, ["/a/b", "n1"], txId);
  dom0.write("/a/c", "1", txId);
  assert.deepEqual(watcher.heard(), []);
  dom0.end(txId);
  assert.deepEqual(watcher.heard(), ["/a/b|t", "/a/c|t"]);
});

Deno.test("transaction ids are the connection's own, and only from TRANSACTION_START", () => {
  const { dom0, connect } = newStore();
  const txId = dom0.begin();
  const other = connect(0);
  assert.equal(other.read("/", txId), "ENOENT");
  assert.equal(other.end(txId), "ENOENT");
  assert.equal(dom0.read("/tool", 12345), "ENOENT");
  assert.equal(dom0.call(Xs.TRANSACTION_START, [""], txId), "EBUSY");
  assert.equal(dom0.call(Xs.TRANSACTION_END, ["X"], txId), "EINVAL");
  assert.equal(dom0.end(0), "ENOENT");
  assert.equal(dom0.end(txId), "OK");
  assert.equal(dom0.call(Xs.WATCH, ["/tool", "t"], 999), "OK", "a watch is never in a transaction");
});

Deno.test("a request that fails inside a transaction has changed nothing of it", () => {
  const { domU } = newStore();
  const txId = domU.begin();
  assert.equal(domU.write("data/x", "1", txId), "OK");
  assert.equal(domU.write("data/x", "v".repeat(3000), txId), "ENOSPC");
  assert.equal(domU.end(txId), "OK");
  assert.equal(domU.read("data/x"), "1");
});

Deno.test("a guest has no more than 10 transactions open, and 1024 nodes in one", () => {
  const { domU, dom0, connect } = newStore();
  const again = connect(1);
  const open = Array.from({ length: Quota.transactions }, (_, index) => (index % 2 ? domU : again).begin());
  assert.equal(domU.call(Xs.TRANSACTION_START, [""]), "ENOSPC");
  for (let more = 0; more < 20; more++) assert.ok(dom0.begin() > 0);
  assert.equal(again.end(open[0]!, false), "OK");
  const txId = domU.begin();
  let result = "ENOENT";
  for (let node = 0; result === "ENOENT"; node++) result = domU.read(`data/${node}`, txId);
  assert.equal(result, "ENOSPC");
});

/** Commands on few paths, so that they conflict. */
const path = fc.constantFrom("/p", "/p/a", "/p/a/b", "/p/c");
const command = fc.oneof(
  fc.record({ do: fc.constant("read" as const), path }),
  fc.record({ do: fc.constant("list" as const), path }),
  fc.record({ do: fc.constant("write" as const), path, value: fc.constantFrom("1", "2") }),
  fc.record({ do: fc.constant("mkdir" as const), path }),
  fc.record({ do: fc.constant("rm" as const), path }),
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

function run(client: TestClient, txId: number, step: Command): string {
  return step.do === "write" ? client.write(step.path, step.value, txId) : client[step.do](step.path, txId);
}

function dump(client: TestClient): string[] {
  return ["/p", "/p/a", "/p/a/b", "/p/c"].map((each) => `${client.read(each)} ${client.list(each)}`);
}

Deno.test("a committed transaction had the replies, and has the effect, of running alone at its commit", () => {
  const schedule = fc.array(fc.tuple(fc.constantFrom(0, 1, 2), command), { maxLength: 30 });
  fc.assert(
    fc.property(schedule, (steps) => {
      const { dom0, connect } = newStore();
      const replica = newStore().dom0;
      const clients = [dom0, connect(0), connect(0)];
      // Client 0 uses no transaction. Clients 1 and 2 use one each for all their steps and commit it after the last step.
      const txIds = clients.map((client, index) => index === 0 ? 0 : client.begin());
      const logs: { step: Command; reply: string }[][] = [[], [], []];
      steps.forEach(([who, step], at) => {
        const reply = run(clients[who]!, txIds[who]!, step);
        logs[who]!.push({ step, reply });
        if (who === 0) assert.equal(run(replica, 0, step), reply);
        const isLast = who !== 0 && !steps.slice(at + 1).some(([later]) => later === who);
        if (isLast && clients[who]!.end(txIds[who]!) === "OK") {
          for (const { step, reply } of logs[who]!) assert.equal(run(replica, 0, step), reply);
        }
        assert.deepEqual(dump(dom0), dump(replica));
      });
    }),
    { numRuns: 300 },
  );
});
