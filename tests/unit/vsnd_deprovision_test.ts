// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { Exit, XsndError } from "../../lib/base/error.ts";
import { defaultCard } from "../../lib/vsnd/model/card.ts";
import { deprovisionCard } from "../../lib/vsnd/provision/deprovision.ts";
import { cardRecords } from "../../lib/vsnd/nodes/inventory.ts";
import { provision } from "../../lib/vsnd/provision/plan.ts";
import { waitForState, XenbusState } from "../../lib/xenbus/mod.ts";
import { wanted } from "./vsnd_cards.ts";
import { TestXen } from "./vsnd_store.ts";

const backend = "/local/domain/0/backend/vsnd/1/0";
const patient = { timeoutMs: 60_000, force: false };

function provisioned(state: string | undefined) {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  const clean = xen.dump("/local");
  provision(store, () => wanted([defaultCard("hw:0")]));
  if (state === undefined) store.remove(backend);
  else store.write(`${backend}/state`, state);
  return { xen, store, clean, record: cardRecords(store, 1)[0] };
}

for (const state of [undefined, "1", "6", "0", "garbage", ""]) {
  Deno.test(`deprovisionCard() removes a card at once whose backend's state is ${state ?? "gone"}`, async () => {
    const { xen, store, clean, record } = provisioned(state);
    await deprovisionCard(store, record!, patient);
    assert.equal(xen.dump("/local"), clean);
    assert.equal(store.read("/libxl/1/device"), undefined);
    assert.equal(xen.watches.size, 0);
  });
}

for (const state of ["2", "3", "4", "5"]) {
  Deno.test(`deprovisionCard() asks a backend in state ${state} to close and waits until it has`, async () => {
    const { xen, store, clean, record } = provisioned(state);
    const done = deprovisionCard(store, record!, patient);
    await waitForState(store, backend, (state) => state === XenbusState.Closing, 60_000);
    assert.equal(store.read(`${backend}/online`), "0");
    store.write(`${backend}/state`, "6");
    await done;
    assert.equal(xen.dump("/local"), clean);
  });
}

Deno.test("deprovisionCard() is content if a driver domain removes its directory by itself", async () => {
  const { xen, store, clean, record } = provisioned("4");
  const done = deprovisionCard(store, record!, patient);
  store.remove(backend);
  await done;
  assert.equal(xen.dump("/local"), clean);
});

Deno.test("deprovisionCard() removes nothing if the backend does not close in time, and --force does", async () => {
  const { xen, store, clean, record } = provisioned("2");
  await assert.rejects(deprovisionCard(store, record!, { timeoutMs: 10, force: false }), (error) => {
    assert.ok(error instanceof XsndError);
    assert.equal(error.exitCode, Exit.timedOut);
    assert.match(
      error.message,
      /did not close within 0\.01 s \(its state is Closing\); if `xsnd serve` no longer runs, .* --force/,
    );
    return true;
  });
  assert.equal(store.read(`${backend}/state`), "5");
  assert.equal(store.read(`${backend}/xsnd/0/0/device`), "hw:0");
  assert.equal(cardRecords(store, 1).length, 1);
  await deprovisionCard(store, record!, { timeoutMs: 10, force: true });
  assert.equal(xen.dump("/local"), clean);
});

Deno.test("deprovisionCard() sees a backend that comes up between the question and the removal", async () => {
  const { xen, store, record } = provisioned("1");
  xen.beforeCommit = () => {
    xen.beforeCommit = () => {};
    store.write(`${backend}/state`, "2");
  };
  await assert.rejects(deprovisionCard(store, record!, { timeoutMs: 10, force: false }), /did not close/);
  assert.equal(store.read(`${backend}/online`), "0");
});

Deno.test("deprovisionCard() leaves a card alone that was provisioned anew when the old one closed", async () => {
  const { xen, store, record } = provisioned("2");
  const done = deprovisionCard(store, record!, patient);
  await waitForState(store, backend, (state) => state === XenbusState.Closing, 60_000);
  xen.beforeCommit = () => {
    xen.beforeCommit = () => {};
    store.write(`${backend}/state`, "1");
  };
  store.write(`${backend}/state`, "6");
  await assert.rejects(done, /closed, and is now Initialising again; the card was left as it is/);
  assert.equal(store.read(`${backend}/state`), "1");
});
