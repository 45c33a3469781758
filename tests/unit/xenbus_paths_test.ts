// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import fc from "fast-check";
import { Exit, XsndError } from "../../lib/base/error.ts";
import {
  cardPaths,
  listDomains,
  parseBackendPath,
  removeWithEmptyParents,
  resolveDomain,
} from "../../lib/xenbus/mod.ts";
import { TestXen } from "./vsnd_store.ts";

Deno.test("cardPaths() are libxl's", () => {
  assert.deepEqual(cardPaths({ domid: 7, card: 1, backendDomid: 3 }), {
    libxl: "/libxl/7/device/vsnd/1",
    frontend: "/local/domain/7/device/vsnd/1",
    backend: "/local/domain/3/backend/vsnd/7/1",
  });
});

Deno.test("cardPaths() keep domain 0's own frontend where its kernel does not look", () => {
  const { frontend } = cardPaths({ domid: 0, card: 0, backendDomid: 0 });
  assert.equal(frontend, "/local/domain/0/xsnd/vsnd/0");
});

Deno.test("parseBackendPath() is the inverse of cardPaths() and refuses all else", () => {
  const domid = fc.integer({ min: 0, max: 32751 });
  fc.assert(
    fc.property(
      fc.record({ domid, card: domid, backendDomid: domid }, { noNullPrototype: true }),
      (address) => {
        assert.deepEqual(parseBackendPath(cardPaths(address).backend), address);
      },
    ),
  );
  for (
    const path of ["", "/local/domain/0/backend/vsnd/1", "/local/domain/0/backend/vbd/1/0", "/x/../y", "a\n"]
  ) {
    assert.equal(parseBackendPath(path), undefined, path);
  }
  assert.equal(parseBackendPath("/local/domain/0/backend/vsnd/1/0/xsnd"), undefined);
});

Deno.test("resolveDomain() takes names and numbers", () => {
  const view = new TestXen(["domU", "7"]).store();
  assert.deepEqual(resolveDomain(view, "domU"), { domid: 1, name: "domU" });
  assert.deepEqual(resolveDomain(view, "1"), { domid: 1, name: "domU" });
  assert.deepEqual(resolveDomain(view, "Domain-0"), { domid: 0, name: "Domain-0" });
  assert.deepEqual(resolveDomain(view, "0"), { domid: 0, name: "Domain-0" });
  assert.deepEqual(listDomains(view).map(({ domid }) => domid), [0, 1, 2]);
  assert.throws(() => resolveDomain(view, "7"), XsndError); // digits are a domid, never a name, as for xl
});

Deno.test("resolveDomain() lists the domains there are when there is no such one", () => {
  const view = new TestXen(["domU"]).store();
  for (const name of ["nobody", "99", "", "DOMU"]) {
    assert.throws(() => resolveDomain(view, name), (error) => {
      assert.ok(error instanceof XsndError);
      assert.equal(error.exitCode, Exit.failed);
      assert.ok(error.message.endsWith("there are Domain-0 (0), domU (1)"), error.message);
      return true;
    });
  }
});

Deno.test("resolveDomain() will not choose between domains of one name", () => {
  const view = new TestXen(["twin", "twin"]).store();
  assert.throws(
    () => resolveDomain(view, "twin"),
    /domains 1, 2 are all called "twin"; name one by its number/,
  );
  assert.equal(resolveDomain(view, "2").domid, 2);
});

Deno.test("Domain-0 is there even if nobody wrote its name down", () => {
  const view = new TestXen([]).store();
  view.remove("/local/domain/0");
  assert.deepEqual(resolveDomain(view, "Domain-0"), { domid: 0, name: "Domain-0" });
});

Deno.test("removeWithEmptyParents() stops at a directory with a value or another child", () => {
  const store = new TestXen(["domU"]).store();
  store.write("/a/b/c/d", "x");
  store.write("/a/other", "");
  store.transaction((view) => removeWithEmptyParents(view, "/a/b/c"));
  assert.deepEqual(store.list("/a"), ["other"]);
  store.write("/v", "value");
  store.mkdir("/v/w/x");
  removeWithEmptyParents(store, "/v/w/x");
  assert.deepEqual(store.list("/v"), []);
  removeWithEmptyParents(store, "/v/none/x");
  assert.equal(store.read("/v"), "value");
});
