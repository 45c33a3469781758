// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { Xs } from "../../lib/xen/embedded/server/wire.ts";
import { newStore } from "./embedded_store.ts";

const HOME = "/local/domain/1";

Deno.test("WRITE stores any octets, and makes the nodes above", () => {
  const { dom0 } = newStore();
  const octets = String.fromCharCode(...Array(256).keys());
  assert.equal(dom0.write("/a/b", octets), "OK");
  assert.equal(dom0.raw(Xs.READ, "/a/b\0"), octets);
  assert.equal(dom0.raw(Xs.READ, "/a\0"), "");
  assert.equal(dom0.raw(Xs.WRITE, "/no-nul"), "EINVAL\0");
});

Deno.test("DIRECTORY names the children in order of creation", () => {
  const { dom0 } = newStore();
  for (const name of ["b", "a", "c"]) dom0.mkdir(`/d/${name}`);
  dom0.rm("/d/b");
  dom0.mkdir("/d/b");
  assert.equal(dom0.raw(Xs.DIRECTORY, "/d\0"), "a\0c\0b\0");
  assert.equal(dom0.raw(Xs.DIRECTORY, "/d/a\0"), "");
});

Deno.test("DIRECTORY_PART gives a long list in whole names, and a generation that tells a change", () => {
  const { dom0 } = newStore();
  const names = Array.from({ length: 300 }, (_, index) => `a-rather-long-name-${index}`);
  for (const name of names) dom0.mkdir(`/d/${name}`);
  assert.equal(dom0.list("/d"), "E2BIG");
  let listing = "";
  const generations = new Set<string>();
  while (!listing.endsWith("\0\0")) {
    const reply = dom0.raw(Xs.DIRECTORY_PART, `/d\0${listing.length}\0`);
    const end = reply.indexOf("\0") + 1;
    assert.ok(reply.length <= 4096 && reply.length > end);
    generations.add(reply.slice(0, end));
    listing += reply.slice(end);
  }
  assert.deepEqual(listing.split("\0").slice(0, -2), names);
  assert.equal(generations.size, 1);
  const generation = () => dom0.raw(Xs.DIRECTORY_PART, "/d\x000\0").split("\0")[0];
  const before = generation();
  dom0.write("/d/a-rather-long-name-1/below", "1");
  assert.equal(generation(), before, "what is further down does not count");
  dom0.mkdir("/d/new");
  assert.notEqual(generation(), before);
  assert.equal(dom0.raw(Xs.DIRECTORY_PART, "/d/new\x000\0").split("\0").length, 3, "generation, end mark");
  assert.equal(dom0.raw(Xs.DIRECTORY_PART, "/d\0"), "EINVAL\0");
  assert.equal(dom0.raw(Xs.DIRECTORY_PART, "/d\0-1\0"), "EINVAL\0");
});

Deno.test("GET_DOMAIN_PATH answers everybody, for any domain", () => {
  const { domU } = newStore();
  assert.equal(domU.call(Xs.GET_DOMAIN_PATH, ["7"]), "/local/domain/7");
  assert.equal(domU.call(Xs.GET_DOMAIN_PATH, ["007"]), "/local/domain/7");
  assert.equal(domU.call(Xs.GET_DOMAIN_PATH, ["x"]), "EINVAL");
});

Deno.test("what manages domains is dom0's alone", () => {
  const { domU } = newStore();
  for (
    const type of [Xs.INTRODUCE, Xs.RELEASE, Xs.RESUME, Xs.SET_TARGET, Xs.IS_DOMAIN_INTRODUCED, Xs.CONTROL]
  ) {
    assert.equal(domU.call(type, ["1", "1", "1"]), "EACCES");
  }
});

Deno.test("INTRODUCE and RELEASE make a domain known and unknown", () => {
  const { dom0, xenstore } = newStore();
  const introduced = (domid: number) => dom0.call(Xs.IS_DOMAIN_INTRODUCED, [String(domid)]);
  assert.deepEqual([0, 1, 3].map(introduced), ["T", "T", "F"]);
  assert.equal(dom0.call(Xs.INTRODUCE, ["3", "42", "7"]), "OK");
  assert.equal(introduced(3), "T");
  assert.equal(dom0.call(Xs.RESUME, ["3"]), "OK");
  assert.equal(dom0.call(Xs.RELEASE, ["3"]), "OK");
  assert.equal(introduced(3), "F");
  assert.equal(dom0.call(Xs.RELEASE, ["3"]), "ENOENT");
  assert.equal(dom0.call(Xs.RESUME, ["3"]), "ENOENT");
  for (
    const wrong of [["0", "1", "1"], ["32752", "1", "1"], ["-1", "1", "1"], ["4"], ["4", "1"], [
      "x",
      "1",
      "1",
    ]]
  ) {
    assert.equal(dom0.call(Xs.INTRODUCE, wrong), "EINVAL", wrong.join());
  }
  assert.equal(dom0.call(Xs.RELEASE, ["0"]), "EINVAL");
  assert.equal(xenstore.domains.has(4), false);
});

Deno.test("INTRODUCE of a known domain has its connections begin anew", () => {
  const { dom0, domU, domV } = newStore();
  domU.watch("data", "t");
  domV.watch("data", "t");
  const txId = domU.begin();
  dom0.call(Xs.INTRODUCE, ["1", "1", "1"]);
  assert.equal(domU.unwatch("data", "t"), "ENOENT");
  assert.equal(domU.end(txId), "ENOENT");
  assert.equal(domV.unwatch("data", "t"), "OK");
});

Deno.test("RELEASE leaves the nodes to dom0, and nothing to a later domain of that id", () => {
  const { xenstore, dom0, domU, connect } = newStore();
  domU.write("data/x", "secret");
  dom0.write("/shared", "1");
  dom0.chmod("/shared", "n0", "b1", "r2");
  assert.equal(dom0.call(Xs.RELEASE, ["1"]), "OK");
  assert.equal(dom0.read(`${HOME}/data/x`), "secret");
  assert.equal(dom0.permissions(`${HOME}/data/x`), "n0");
  assert.equal(dom0.permissions("/shared"), "n0 r2");
  assert.equal(xenstore.database.snapshot.owned.get(1), 0);
  dom0.call(Xs.INTRODUCE, ["1", "1", "1"]);
  const later = connect(1);
  assert.equal(later.read("data/x"), "EACCES");
  assert.equal(later.write("/shared", "2"), "EACCES");
});

Deno.test("what is no request is refused, and the connection lives on", () => {
  const { dom0 } = newStore();
  for (const type of [Xs.WATCH_EVENT, Xs.ERROR, 20, 23, 0xffff, 0xffffffff]) {
    assert.equal(dom0.call(type, ["/"]), "ENOSYS");
  }
  for (const type of Object.values(Xs)) {
    for (const payload of ["", "\0", "\0\0\0\0", "x", "/\0/\0/\0/\0/\0", "\xff".repeat(4096)]) {
      dom0.raw(type, payload);
    }
  }
  assert.equal(dom0.read("/local/domain/0/name"), "Domain-0");
});

Deno.test("CONTROL knows check and help", () => {
  const { dom0 } = newStore();
  assert.equal(dom0.call(Xs.CONTROL, ["check"]), "OK");
  assert.match(dom0.call(Xs.CONTROL, ["help"]), /check/);
  assert.equal(dom0.call(Xs.CONTROL, ["live-update"]), "EINVAL");
});
