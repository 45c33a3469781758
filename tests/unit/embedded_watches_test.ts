// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { Quota } from "../../lib/xen/embedded/server/view.ts";
import { Xs } from "../../lib/xen/embedded/server/wire.ts";
import { newStore } from "./embedded_store.ts";

const HOME = "/local/domain/1";

Deno.test("a watch fires once at once, after its reply, whether there is a node or not", () => {
  const { domU } = newStore();
  assert.equal(domU.watch("/no/such/node", "t"), "OK");
  assert.deepEqual(domU.heard(), ["/no/such/node|t"]);
});

Deno.test("a watch sees its node and all below it", () => {
  const { dom0 } = newStore();
  dom0.watch("/a", "t");
  dom0.heard();
  dom0.write("/a", "1");
  dom0.write("/a/b/c", "1");
  dom0.write("/ab", "1");
  dom0.mkdir("/a/b/d");
  dom0.mkdir("/a/b/d");
  dom0.chmod("/a/b/d", "n1");
  dom0.rm("/a/b");
  dom0.write("/", "1");
  assert.deepEqual(dom0.heard(), ["/a|t", "/a/b/c|t", "/a/b/d|t", "/a/b/d|t", "/a/b|t"]);
});

Deno.test("a relative watch tells relative paths", () => {
  const { domU, dom0 } = newStore();
  domU.watch("device", "t");
  domU.watch(`${HOME}/device`, "u");
  domU.heard();
  dom0.write(`${HOME}/device/vsnd/0/state`, "1");
  assert.deepEqual(domU.heard(), ["device/vsnd/0/state|t", `${HOME}/device/vsnd/0/state|u`]);
});

Deno.test("removing a node tells watches below it, by their own path", () => {
  const { dom0 } = newStore();
  dom0.write("/a/b/c/d", "1");
  dom0.watch("/a/b/c", "below");
  dom0.watch("/a", "above");
  dom0.watch("/a/b/c/none", "absent");
  dom0.heard();
  dom0.rm("/a/b");
  assert.deepEqual(dom0.heard(), ["/a/b|above", "/a/b/c|below"]);
});

Deno.test("a watcher hears only of what it may read, by the node or its parent", () => {
  const { domU, domV, dom0 } = newStore();
  domV.watch("/", "t");
  domV.watch(`${HOME}/data`, "t");
  domV.heard();
  domU.write("data/x", "1");
  assert.deepEqual(domV.heard(), []);
  domU.chmod("data/x", "n1", "r2");
  domV.heard();
  domU.write("data/x", "2");
  assert.deepEqual(domV.heard(), [`${HOME}/data/x|t`, `${HOME}/data/x|t`], "one event for each watch");
  domU.write("data/y", "2");
  assert.deepEqual(domV.heard(), []);
  dom0.chmod(`${HOME}/data`, "n1", "r2");
  domV.heard();
  domU.write("data/x", "3");
  assert.equal(domV.heard().length, 2);
  domU.chmod("data/x", "n1");
  domU.write("data/x", "4");
  assert.equal(domV.heard().length, 4, "the parent is readable");
});

Deno.test("losing the right to read is told; what follows is not", () => {
  const { domU, domV } = newStore();
  domU.write("data/x", "1");
  domU.chmod("data/x", "n1", "r2");
  domV.watch(`${HOME}/data/x`, "t");
  domV.heard();
  domU.chmod("data/x", "n1");
  assert.equal(domV.heard().length, 1);
  domU.write("data/x", "2");
  assert.deepEqual(domV.heard(), []);
});

Deno.test("a watch is removed by path and token, and only once", () => {
  const { dom0 } = newStore();
  dom0.watch("/a", "t");
  assert.equal(dom0.watch("/a", "t"), "EEXIST");
  assert.equal(dom0.watch("/a", "u"), "OK");
  assert.equal(dom0.unwatch("/a", "x"), "ENOENT");
  assert.equal(dom0.unwatch("/a", "t"), "OK");
  assert.equal(dom0.unwatch("/a", "t"), "ENOENT");
  dom0.heard();
  dom0.write("/a", "1");
  assert.deepEqual(dom0.heard(), ["/a|u"]);
  assert.equal(dom0.call(Xs.WATCH, ["/a"]), "EINVAL");
  assert.equal(dom0.call(Xs.WATCH, ["/a", "t", "more"]), "EINVAL");
  assert.equal(dom0.watch("a//b", "t"), "EINVAL");
});

Deno.test("RESET_WATCHES drops the connection's watches and transactions, and no other's", () => {
  const { dom0, connect } = newStore();
  const other = connect(0);
  dom0.watch("/a", "t");
  other.watch("/a", "t");
  const txId = dom0.begin();
  assert.equal(dom0.call(Xs.RESET_WATCHES, [""]), "OK");
  assert.equal(dom0.read("/", txId), "ENOENT");
  dom0.heard();
  other.heard();
  dom0.write("/a", "1");
  assert.deepEqual([dom0.heard(), other.heard()], [[], ["/a|t"]]);
});

Deno.test("a guest has no more than 128 watches, over all its connections", () => {
  const { domU, domV, dom0, connect } = newStore();
  const again = connect(1);
  for (let index = 0; index < Quota.watches; index++) {
    assert.equal((index % 2 ? domU : again).watch("data", `t${index}`), "OK");
    dom0.watch("/", `t${index}`);
  }
  assert.equal(domU.watch("data", "x"), "E2BIG");
  assert.equal(again.watch("data", "x"), "E2BIG");
  assert.equal(domV.watch("data", "x"), "OK");
  assert.equal(dom0.watch("/", "x"), "OK");
  again.client.close();
  assert.equal(domU.watch("data", "x"), "OK");
});

Deno.test("@introduceDomain and @releaseDomain are told to dom0, and to whom dom0 allows it", () => {
  const { domU, domV, dom0, appeared, gone } = newStore();
  for (const client of [dom0, domU, domV]) {
    client.watch("@introduceDomain", "in");
    client.watch("@releaseDomain", "out");
    assert.deepEqual(client.heard(), ["@introduceDomain|in", "@releaseDomain|out"]);
  }
  assert.equal(domV.call(Xs.SET_PERMS, ["@releaseDomain", "n0", "r2"]), "EACCES");
  assert.equal(dom0.call(Xs.SET_PERMS, ["@releaseDomain", "n0", "r2"]), "OK");
  assert.equal(dom0.permissions("@releaseDomain"), "n0 r2");
  assert.equal(dom0.call(Xs.INTRODUCE, ["5", "1", "1"]), "OK");
  assert.equal(dom0.call(Xs.RELEASE, ["5"]), "OK");
  assert.deepEqual(dom0.heard(), ["@introduceDomain|in", "@releaseDomain|out"]);
  assert.deepEqual(domU.heard(), []);
  assert.deepEqual(domV.heard(), ["@releaseDomain|out"]);
  assert.deepEqual([appeared, gone], [[0, 1, 2, 5], [5]]);
});

Deno.test("an event too long for a message is not sent", () => {
  const { dom0 } = newStore();
  const token = "t".repeat(4080);
  dom0.watch("/a", token);
  dom0.heard();
  dom0.write(`/a/${"b".repeat(40)}`, "1");
  assert.deepEqual(dom0.heard(), []);
});
