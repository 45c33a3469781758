// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import fc from "fast-check";
import { Exit } from "../../lib/base/error.ts";
import {
  parseState,
  readState,
  stateName,
  StateTimeoutError,
  switchState,
  waitForState,
  XenbusState,
} from "../../lib/xenbus/mod.ts";
import { TestXen } from "./vsnd_store.ts";

const device = "/local/domain/1/device/vsnd/0";

Deno.test("parseState() takes exactly the nine digits and makes Unknown of everything else", () => {
  for (const [name, value] of Object.entries(XenbusState)) {
    assert.equal(parseState(String(value)), value);
    assert.equal(stateName(value), name);
  }
  for (const text of ["", "9", "-1", "04", " 4", "4\n", "4x", "0x4", "1e0", "Infinity", "٤"]) {
    assert.equal(parseState(text), XenbusState.Unknown, JSON.stringify(text));
  }
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const state = parseState(text);
    assert.ok(Object.values(XenbusState).includes(state));
    assert.ok(state === XenbusState.Unknown || text === String(state));
  }));
});

Deno.test("readState() tells an absent node from one that it may not read", () => {
  const xen = new TestXen(["domU", "driver"]);
  const [dom0, driver] = [xen.store(0), xen.store(2)];
  assert.equal(readState(dom0, device), undefined);
  dom0.write(`${device}/state`, "4");
  dom0.setPermissions(`${device}/state`, [{ domid: 1, access: "none" }, { domid: 2, access: "read" }]);
  assert.equal(readState(driver, device), XenbusState.Connected);
  xen.store(1).setPermissions(`${device}/state`, [{ domid: 1, access: "none" }]);
  assert.equal(readState(driver, device), XenbusState.Unknown);
});

Deno.test("switchState() writes a state that is there and never brings one back", () => {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  assert.equal(switchState(store, device, XenbusState.InitWait), false);
  assert.equal(store.read(`${device}/state`), undefined);
  store.write(`${device}/state`, "1");
  assert.equal(switchState(store, device, XenbusState.InitWait), true);
  assert.equal(store.read(`${device}/state`), "2");
  xen.beforeCommit = () => {
    xen.beforeCommit = () => {};
    store.remove(device);
  };
  assert.equal(switchState(store, device, XenbusState.Connected), false);
  assert.equal(store.read(device), undefined);
});

Deno.test("switchState() leaves a device alone that was put in the place of one's own", () => {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  const isOurs = (present: XenbusState) => present !== XenbusState.Initialising;
  store.write(`${device}/state`, "4");
  xen.beforeCommit = () => {
    xen.beforeCommit = () => {};
    store.write(`${device}/state`, "1");
  };
  assert.equal(switchState(store, device, XenbusState.InitWait, isOurs), false);
  assert.equal(store.read(`${device}/state`), "1");
});

Deno.test("waitForState() returns at once, on a change, and when the device goes", async () => {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  store.write(`${device}/state`, "1");
  const until = (wanted: XenbusState | undefined) =>
    waitForState(store, device, (state) => state === wanted, 60_000);
  assert.equal(await until(XenbusState.Initialising), XenbusState.Initialising);

  const connected = until(XenbusState.Connected);
  for (const state of ["2", "garbage", "3", "4"]) {
    store.write(`${device}/state`, state);
    await Promise.resolve();
  }
  assert.equal(await connected, XenbusState.Connected);

  const gone = until(undefined);
  store.remove(device);
  assert.equal(await gone, undefined);
  assert.equal(xen.watches.size, 0);
});

Deno.test("waitForState() gives up in time, with exit code 124 and the state it is stuck in", async () => {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  store.write(`${device}/state`, "5");
  await assert.rejects(
    waitForState(store, device, (state) => state === XenbusState.Closed, 20),
    (error) => {
      assert.ok(error instanceof StateTimeoutError);
      assert.equal(error.exitCode, Exit.timedOut);
      assert.equal(error.state, XenbusState.Closing);
      assert.match(
        error.message,
        /waited 0\.02 s for \/local\/.*\/state to change; the state is still Closing/,
      );
      return true;
    },
  );
  assert.equal(xen.watches.size, 0);
});
