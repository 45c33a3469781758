// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import fc from "fast-check";
import { provision, provisionIn } from "../../lib/vsnd/provision/plan.ts";
import { dryRun, type StoreChange } from "../../lib/vsnd/provision/dry_run.ts";
import { replaceIn } from "../../lib/vsnd/provision/replace.ts";
import { defaultCard } from "../../lib/vsnd/model/card.ts";
import { formatPermissions } from "../../lib/vsnd/nodes/xenstore_ls.ts";
import { card, provisionCards, wanted } from "./vsnd_cards.ts";
import { TestXen } from "./vsnd_store.ts";

/** Applies the changes to a dump of XenStore. */
function applied(dump: string, changes: readonly StoreChange[]): string[] {
  let lines = dump.trimEnd().split("\n");
  const isAt = (line: string, path: string) => line.startsWith(`${path} = `);
  for (const change of changes) {
    if (change.op === "remove") {
      lines = lines.filter((line) => !isAt(line, change.path) && !line.startsWith(`${change.path}/`));
    } else {
      lines = lines.filter((line) => !isAt(line, change.path));
      const permissions = formatPermissions(change.permissions);
      lines.push(`${change.path} = ${JSON.stringify(change.value)} (${permissions})`);
    }
  }
  return lines.sort();
}

Deno.test("dryRun() writes nothing, and tells exactly what the same would do", () => {
  fc.assert(
    fc.property(card, card, (one, two) => {
      const xen = new TestXen(["domU"]);
      const store = xen.store();
      for (const cards of [[one], [two, one], [one]]) {
        const before = xen.dump("/");
        const { result, changes } = dryRun(store, (view) => provisionIn(view, () => wanted(cards)));
        assert.equal(xen.dump("/"), before);
        const done = provision(store, () => wanted(cards));
        assert.deepEqual(result.map(({ action }) => action), done.map(({ action }) => action));
        assert.deepEqual(applied(before, changes), xen.dump("/").trimEnd().split("\n").sort());
      }
    }),
    { numRuns: 20 },
  );
});

Deno.test("dryRun() tells what changes under a guest node by node, removals too", () => {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  const { pcms, ...rest } = defaultCard("hw:0");
  const pcm = pcms[0]!;
  const deny = (denied: boolean) => ({
    ...rest,
    pcms: [{ ...pcm, streams: pcm.streams.map((stream) => ({ ...stream, denied })) }],
  });
  provisionCards(store, deny(true));
  store.write("/local/domain/0/backend/vsnd/1/0/state", "4");
  const { changes } = dryRun(store, (view) => provisionIn(view, () => wanted([deny(false)])));
  const policy = "/local/domain/0/backend/vsnd/1/0/xsnd";
  assert.deepEqual(
    changes,
    ["0/0", "0/1"].map((stream) => ({ op: "remove", path: `${policy}/${stream}/denied` })),
  );
});

Deno.test("dryRun() of a replacement asks the backend to close, removes, and writes, in that order", () => {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  provisionCards(store, defaultCard("hw:0"));
  const backend = "/local/domain/0/backend/vsnd/1/0";
  store.write(`${backend}/state`, "4");
  const before = xen.dump("/");
  const choose = () => wanted([{ ...defaultCard("hw:0"), longName: "Other" }]);
  const { result, changes } = dryRun(store, (view) => replaceIn(view, choose));
  assert.equal(xen.dump("/"), before);
  assert.equal(result[0]!.action, "replaced");
  assert.deepEqual(changes.slice(0, 2).map((change) => "value" in change && [change.path, change.value]), [
    [`${backend}/online`, "0"],
    [`${backend}/state`, "5"],
  ]);
  const removed = changes.findLastIndex(({ op }) => op === "remove");
  assert(removed < changes.findLastIndex(({ path }) => path === `${backend}/online`));
});

Deno.test("dryRun() throws what is thrown", () => {
  const xen = new TestXen(["domU"]);
  const failing = () => {
    throw new TypeError("no");
  };
  assert.throws(() => dryRun(xen.store(), failing), /^TypeError: no$/);
});
