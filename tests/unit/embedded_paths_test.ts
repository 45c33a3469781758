// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { absolutePath, childPath, isWithin, parentPath } from "../../lib/xen/embedded/server/store_paths.ts";
import { parsePermission, Right, rightsOf } from "../../lib/xen/embedded/server/permissions.ts";
import { XsError } from "../../lib/xen/embedded/server/wire.ts";

Deno.test("absolutePath() takes a relative path to be the domain's own", () => {
  assert.equal(absolutePath("data/x", 3), "/local/domain/3/data/x");
  assert.equal(absolutePath("device", 0), "/local/domain/0/device");
  assert.equal(absolutePath("/vm", 3), "/vm");
  assert.equal(absolutePath("/", 3), "/");
});

Deno.test("absolutePath() refuses what names no node", () => {
  const bad = [
    "",
    "a//b",
    "/a/",
    "a/",
    "//",
    "/a b",
    "/a\x00",
    "/ä",
    "/a.b",
    "/a+b",
    "@releaseDomain",
    "/a\n",
  ];
  for (const path of bad) {
    assert.throws(() => absolutePath(path, 1), new XsError("EINVAL"), JSON.stringify(path));
  }
  for (const path of ["/A-Z_a@0", "x"]) assert.doesNotThrow(() => absolutePath(path, 1));
});

Deno.test("absolutePath() allows 2048 octets below a domain's home and elsewhere", () => {
  assert.doesNotThrow(() => absolutePath(`/${"a".repeat(2047)}`, 0));
  assert.throws(() => absolutePath(`/${"a".repeat(2048)}`, 0), new XsError("EINVAL"));
  assert.doesNotThrow(() => absolutePath("a".repeat(2048), 12));
  assert.throws(() => absolutePath("a".repeat(2049), 12), new XsError("EINVAL"));
});

Deno.test("parentPath() and childPath() go up and down", () => {
  assert.deepEqual(["/a/b", "/a", "/"].map(parentPath), ["/a", "/", "/"]);
  assert.deepEqual([childPath("/", "a"), childPath("/a", "b")], ["/a", "/a/b"]);
});

Deno.test("isWithin() compares whole names", () => {
  assert.ok(isWithin("/a/b", "/a") && isWithin("/a", "/a") && isWithin("/a", "/"));
  assert.ok(!isWithin("/ab", "/a") && !isWithin("/a", "/a/b"));
});

Deno.test("rightsOf() gives the owner and dom0 everything, and a stranger what the first entry says", () => {
  const list = ["r1", "w2", "n3", "b4"].map(parsePermission);
  const all = Right.READ | Right.WRITE | Right.OWNER;
  const rights = (domid: number, target?: number) => rightsOf({ domid, target }, list);
  assert.deepEqual([0, 1, 2, 3, 4, 5].map((domid) => rights(domid)), [all, all, 2, 0, 3, 1]);
  assert.equal(rights(9, 1), all, "a domain acts for its target");
  assert.equal(rights(9, 2), Right.WRITE);
});

Deno.test("parsePermission() takes the four letters and a domain id", () => {
  assert.deepEqual(parsePermission("b65535"), { domid: 65535, access: "both" });
  for (const text of ["", "r", "x1", "r-1", "r65536", "r1 ", "R1", "r0x1"]) {
    assert.throws(() => parsePermission(text), new XsError("EINVAL"), text);
  }
});
