// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { Quota } from "../../lib/xen/embedded/server/view.ts";
import { Xs } from "../../lib/xen/embedded/server/wire.ts";
import { newStore } from "./embedded_store.ts";

const HOME = "/local/domain/1";

Deno.test("a guest reads what xl lets it read, and writes only what is its own", () => {
  const { domU, domV } = newStore();
  assert.equal(domU.read("name"), "domU");
  assert.equal(domU.read(`${HOME}/domid`), "1");
  assert.equal(domU.write("name", "root"), "EACCES");
  assert.equal(domU.write("data/x", "1"), "OK");
  assert.equal(domU.write("device/mine", "1"), "EACCES");
  assert.equal(domU.write("control/shutdown", ""), "OK");
  assert.equal(domV.read(`${HOME}/name`), "EACCES");
  assert.equal(domV.write(`${HOME}/data/x`, "2"), "EACCES");
  assert.equal(domU.list("/"), "EACCES");
  assert.equal(domU.list("/libxl"), "EACCES");
});

Deno.test("a stranger cannot tell a hidden node from an absent one", () => {
  const { domU, dom0 } = newStore();
  dom0.write("/secret/node", "x");
  assert.equal(domU.read("/secret/node"), "EACCES");
  assert.equal(domU.read("/secret/nothing"), "EACCES");
  assert.equal(domU.read("/nothing/at/all"), "EACCES");
  assert.equal(domU.rm("/secret/nothing"), "EACCES");
  assert.equal(domU.read("data/nothing"), "ENOENT", "it may read data, so it may know");
  assert.equal(dom0.read("/nothing"), "ENOENT");
});

Deno.test("a node may be open below closed ones", () => {
  const { domU, dom0 } = newStore();
  dom0.write("/a/b/c", "deep");
  dom0.chmod("/a/b/c", "n0", "r1");
  assert.equal(domU.read("/a/b/c"), "deep");
  assert.equal(domU.list("/a/b"), "EACCES");
});

Deno.test("a new node inherits its parent's rights, and belongs to the guest that made it", () => {
  const { domU, dom0 } = newStore();
  dom0.mkdir("/shared");
  dom0.chmod("/shared", "n0", "b1", "r2");
  assert.equal(domU.write("/shared/a/b", "x"), "OK");
  assert.equal(dom0.permissions("/shared/a"), "n1 b1 r2");
  assert.equal(dom0.permissions("/shared/a/b"), "n1 b1 r2");
  dom0.write("/shared/mine", "x");
  assert.equal(dom0.permissions("/shared/mine"), "n0 b1 r2");
});

Deno.test("only the owner changes a node's rights, and not its owner", () => {
  const { domU, domV, dom0 } = newStore();
  domU.write("data/x", "1");
  assert.equal(domU.chmod("data/x", "n1", "b2"), "OK");
  assert.equal(domV.write(`${HOME}/data/x`, "2"), "OK");
  assert.equal(domV.chmod(`${HOME}/data/x`, "n2"), "EACCES", "writing is not owning");
  assert.equal(domU.chmod("data/x", "n2"), "EPERM");
  assert.equal(domU.chmod("data/x", "n1", "r2", "r3", "r4", "r5", "r6"), "ENOSPC");
  assert.equal(dom0.chmod(`${HOME}/data/x`, "n2", "r1"), "OK");
  assert.equal(domU.write("data/x", "3"), "EACCES");
  assert.equal(dom0.chmod("/none", "n0"), "ENOENT");
  assert.equal(dom0.chmod("/tool", "x0"), "EINVAL");
  assert.equal(dom0.chmod("/tool"), "EINVAL");
});

Deno.test("rm needs the right to write to the node, and takes all below it along", () => {
  const { domU, dom0 } = newStore();
  domU.write("data/a/b/c", "1");
  assert.equal(domU.rm("data/a"), "OK");
  assert.equal(domU.read("data/a/b/c"), "ENOENT");
  assert.equal(domU.rm("data/a"), "OK", "it is not there: fine");
  assert.equal(domU.rm("data/a/b"), "ENOENT", "not even its parent is there");
  assert.equal(domU.rm("name"), "EACCES");
  assert.equal(dom0.rm("/"), "EINVAL");
  assert.equal(dom0.list(HOME).includes("name"), true);
});

Deno.test("a domain with a target has the target's rights", () => {
  const { domU, domV, dom0 } = newStore();
  assert.equal(domV.write(`${HOME}/data/x`, "1"), "EACCES");
  assert.equal(domV.call(Xs.SET_TARGET, ["2", "1"]), "EACCES");
  assert.equal(dom0.call(Xs.SET_TARGET, ["2", "7"]), "ENOENT");
  assert.equal(dom0.call(Xs.SET_TARGET, ["2", "1"]), "OK");
  assert.equal(domV.write(`${HOME}/data/x`, "1"), "OK");
  assert.equal(domU.read("data/x"), "EACCES", "what domV makes is domV's");
  dom0.call(Xs.RELEASE, ["1"]);
  assert.equal(domV.read("/vm/00000000-0000-4000-8000-000000000001/name"), "EACCES");
});

Deno.test("a guest owns no more than 1000 nodes; another is not its fault", () => {
  const { domU, domV, dom0 } = newStore();
  let made = 0;
  for (let dir = 0; dir < 40; dir++) {
    for (let leaf = 0; leaf < 30 && domU.write(`data/${dir}/${leaf}`, "") === "OK"; leaf++) made++;
  }
  const dirs = Math.ceil(made / 30);
  assert.equal(made + dirs + 11, Quota.nodes, "11 of the nodes that xl made are its own");
  assert.equal(domU.mkdir("data/one-more"), "ENOSPC");
  assert.equal(domU.write("data/0/0", "still"), "OK");
  assert.equal(domV.mkdir("data/x"), "OK");
  assert.equal(dom0.mkdir(`${HOME}/data/y`), "OK");
  assert.equal(domU.rm("data/0"), "OK");
  assert.equal(domU.mkdir("data/one-more"), "OK", "what was removed does not count");
});

Deno.test("a guest's nodes stay below 2048 octets, names of children included; dom0's need not", () => {
  const { domU, dom0 } = newStore();
  assert.equal(domU.write("data/x", "v".repeat(2048 - 24 - 8 - 1)), "OK");
  assert.equal(domU.write("data/x", "v".repeat(2048 - 24 - 8)), "ENOSPC");
  assert.equal(dom0.write("/x", "v".repeat(4000)), "OK");
  let result = "OK";
  let count = 0;
  for (; result === "OK"; count++) result = domU.mkdir(`data/${String(count).padStart(100, "0")}`);
  assert.equal(result, "ENOSPC");
  assert.equal(count - 1, 19);
});

Deno.test("a guest that could not make a node has changed nothing", () => {
  const { xenstore, domU } = newStore();
  for (let node = 0; domU.mkdir(`data/${Math.floor(node / 30)}/${node}`) === "OK"; node++);
  domU.rm("data/0/0");
  domU.rm("data/0/1");
  const before = xenstore.database.snapshot;
  assert.equal(domU.write("data/1/a/b/c", ""), "ENOSPC", "there is room for two, not for three");
  assert.equal(xenstore.database.snapshot, before);
  assert.equal(domU.write("data/1/a/b", ""), "OK");
});
