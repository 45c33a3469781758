// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { ChosenDevice } from "../../lib/daemon/stream/chosen_device.ts";
import { DEFAULT_PARAMS, type StreamPolicy } from "../../lib/vsnd/model/card.ts";

const on = (device: string): StreamPolicy => ({
  type: "playback",
  uniqueId: "speakers",
  device,
  effective: DEFAULT_PARAMS,
});

Deno.test("ChosenDevice keeps the policy in force apart from the decided one, until change()", async () => {
  const chosen = new ChosenDevice(on("dummy:"));
  const first = chosen.device;
  assert.equal(chosen.choose({ device: "dummy:" }), undefined, "that is chosen");
  assert(chosen.choose({ device: "hw:0" }) !== undefined);
  assert.equal(chosen.choose({ device: "hw:0" }), undefined, "that is chosen, too");
  assert.deepEqual([chosen.policy.device, chosen.decided.device], ["dummy:", "hw:0"]);
  assert.equal(chosen.device, first);
  assert(await chosen.change());
  assert.deepEqual([chosen.policy, chosen.decided], [chosen.policy, chosen.policy]);
  assert.equal(chosen.policy.device, "hw:0");
  assert.notEqual(chosen.device, first);
  assert.equal(await chosen.change(), false);
});

Deno.test("ChosenDevice changes nothing when the host takes its choice back before change()", async () => {
  const chosen = new ChosenDevice(on("hw:0"));
  chosen.choose({ device: "hw:1" });
  assert(chosen.choose({ device: "hw:0" }) !== undefined);
  await chosen.change();
  assert.equal(chosen.policy.device, "hw:0");
});

Deno.test("ChosenDevice keeps the device's name while a stream is denied", async () => {
  const chosen = new ChosenDevice(on("hw:0"));
  chosen.choose({ device: "hw:0", denied: true });
  await chosen.change();
  assert.deepEqual([chosen.policy.device, chosen.policy.denied], ["hw:0", true]);
});

Deno.test("ChosenDevice refuses a device that may block only to a stream that shares its engine", () => {
  const refused = { name: "RangeError", message: /may wait, and the stream has no engine of its own/ };
  for (const shares of [on("hw:0"), on("dummy:"), { ...on("pulse"), denied: true }]) {
    const chosen = new ChosenDevice(shares);
    assert.throws(() => chosen.choose({ device: "pulse", denied: undefined }), refused);
    assert(chosen.choose({ device: "null" }) !== undefined);
  }
  const own = new ChosenDevice(on("pulse"));
  assert(own.choose({ device: "hw:0" }) !== undefined);
  assert(own.choose({ device: "default" }) !== undefined);
});
