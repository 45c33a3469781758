// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { Exit, XsndError } from "../../lib/base/error.ts";
import { Changes } from "../../lib/bridge/changes.ts";
import { OperatorNodes } from "../../lib/vsnd/nodes/operator_nodes.ts";
import { OperatorControl } from "../../lib/daemon/stream/operator_control.ts";
import { StoreError } from "../../lib/xen/ports.ts";
import { FakeTime } from "./fake_time.ts";
import { TestXen } from "./vsnd_store.ts";

const BACKEND = "/local/domain/0/backend/vsnd/1/0";
const UNTOUCHED = { volume: 0, muted: false, hold: "none" };

function setUp(clock?: () => number) {
  const store = new TestXen(["domU"]).store();
  store.write(`${BACKEND}/state`, "2");
  const nodes = new OperatorNodes(store, BACKEND, "0/0");
  const stream = { name: "domU/0/0/0", isGivenUp: false, connection: undefined };
  return { store, nodes, control: new OperatorControl(stream, nodes, new Changes(), undefined, clock) };
}

Deno.test("OperatorControl keeps volume, mute and hold for the next daemon", async () => {
  const { nodes, control } = setUp();
  control.set({ volume: -6000, muted: true });
  await control.trigger("pause");
  const kept = { volume: -6000, muted: true, hold: "paused" };
  assert.deepEqual(control.settings, kept);
  assert.deepEqual(nodes.read(), kept);
});

for (
  const [what, change] of [
    ["removed", (store) => store.remove(BACKEND)],
    ["replaced", (store) => store.write(`${BACKEND}/state`, "1")],
  ] satisfies [string, (store: ReturnType<TestXen["store"]>) => void][]
) {
  Deno.test(`OperatorControl changes nothing of a card that the toolstack has just ${what}`, async () => {
    const { store, nodes, control } = setUp();
    change(store);
    const before = store.list(BACKEND);
    const refusal = (error: unknown) =>
      error instanceof XsndError && error.exitCode === Exit.failed &&
      /^nothing of domU\/0\/0\/0 is changed: .* try again$/.test(error.message);
    assert.throws(() => control.set({ muted: true }), refusal);
    await assert.rejects(control.trigger("stop"), refusal);
    assert.deepEqual(control.settings, UNTOUCHED);
    assert.deepEqual(nodes.read(), UNTOUCHED);
    assert.deepEqual(store.list(BACKEND), before);
  });
}

Deno.test("OperatorControl keeps what is in force once more after a write in which XenStore was lost", () => {
  const { store, nodes, control } = setUp();
  control.set({ volume: -1000 });
  const transaction = store.transaction.bind(store);
  store.transaction = (body) => {
    transaction(body);
    throw new StoreError("commit a transaction to", "/", "EBADF");
  };
  assert.throws(() => control.set({ muted: true }), StoreError);
  assert.equal(nodes.read().muted, true, "it was carried out all the same");
  assert.throws(() => control.keepAgain(), StoreError);
  store.transaction = transaction;
  control.keepAgain();
  assert.deepEqual(nodes.read(), { ...UNTOUCHED, volume: -1000 });
  assert.deepEqual(control.settings, nodes.read());
});

Deno.test("a mute with an end ends by itself, unless an operator has set another one since", () => {
  using time = new FakeTime(1_000_000);
  const { nodes, control, store } = setUp(() => time.now);
  control.set({ muted: true }, 5000);
  const muted = { ...UNTOUCHED, muted: true, mutedUntil: 1_005_000 };
  assert.deepEqual([control.settings, nodes.read()], [muted, muted]);
  assert.equal(control.mutedUntil, "1970-01-01T00:16:45.000Z");
  control.set({ volume: -1000 });
  const now = Date.now;
  Date.now = () => now() + 1;
  control.set({ volume: -1000 });
  Date.now = now;
  assert.equal(control.mutedUntil, "1970-01-01T00:16:45.000Z", "a volume changes no time");
  time.tick(4999);
  assert.equal(control.settings.muted, true, "a volume changes no mute");
  time.tick(1);
  const after = { ...UNTOUCHED, volume: -1000 };
  assert.deepEqual([control.settings, nodes.read()], [after, after]);
  control.set({ muted: true }, 5000);
  control.set({ muted: true });
  time.tick(10_000);
  assert.equal(control.settings.muted, true, "a mute without an end took its place");
  assert.equal(store.read(`${BACKEND}/operator/0/0/muted-until`), undefined);
  control.set({ muted: true }, 5000);
  control.set({ muted: false });
  control.set({ muted: true });
  time.tick(10_000);
  assert.equal(control.settings.muted, true);
});

Deno.test("a mute ends for the next daemon, too, at once if its time has passed, and once XenStore is there again", () => {
  using time = new FakeTime(1_000_000);
  const { nodes, control, store } = setUp(() => time.now);
  control.set({ muted: true }, 5000);
  control[Symbol.dispose]();
  time.tick(3000);
  const stream = { name: "domU/0/0/0", isGivenUp: false, connection: undefined };
  const next = new OperatorControl(stream, nodes, new Changes(), undefined, () => time.now);
  next.begin();
  const transaction = store.transaction.bind(store);
  store.transaction = () => {
    throw new StoreError("begin a transaction in", "/", "EBADF");
  };
  time.tick(2500);
  assert.equal(next.settings.muted, true, "nothing changes that cannot be kept");
  store.transaction = transaction;
  // The card is being made anew.
  store.write(`${BACKEND}/state`, "1");
  time.tick(1000);
  assert.equal(next.settings.muted, true);
  store.write(`${BACKEND}/state`, "2");
  time.tick(1000);
  assert.deepEqual([next.settings, nodes.read()], [UNTOUCHED, UNTOUCHED]);
  next.set({ muted: true }, 1000);
  next[Symbol.dispose]();
  time.tick(60_000);
  const last = new OperatorControl(stream, nodes, new Changes(), undefined, () => time.now);
  time.tick(0);
  assert.equal(last.settings.muted, true, "the stream is not served yet");
  last.begin();
  time.tick(0);
  assert.equal(last.settings.muted, false);
});
