// SPDX-License-Identifier: MIT
/** `xsnd deprovision`, as a user runs it. */
import assert from "node:assert/strict";
import { assertFails, inBox, makeWav } from "./harness.ts";
import { assertOk, inSandbox } from "./shell.ts";

Deno.test("deprovision asks a backend to close and waits for it", async () => {
  const result = await inSandbox(`
    xsnd provision domU >/dev/null
    xenstore-write $be/state 4
    (until [ "$(xenstore-read $be/state)" = 5 ]; do sleep 0.05; done
     echo "online $(xenstore-read $be/online)"; xenstore-write $be/state 6) &
    xsnd deprovision domU --timeout 60
    wait
    xenstore-exists $be || xenstore-exists $fe || xenstore-exists /libxl/1/device/vsnd || echo gone`);
  assertOk(result);
  assert.equal(result.stdout, "online 0\ndomU card 0: removed\ngone\n");
});

Deno.test("deprovision gives up in time with exit 124, and --force takes the card away", async () => {
  const result = await inSandbox(`
    xsnd provision domU >/dev/null
    xenstore-write $be/state 2
    status xsnd deprovision domU --timeout 0.1
    xenstore-read $be/state $be/xsnd/0/0/device
    status xsnd deprovision domU --force`);
  assert.match(
    result.stderr,
    /backend at .* did not close within 0\.1 s \(its state is Closing\); .* with --force\n$/,
  );
  assert.equal(result.stdout, "status 124\n5\ndefault\ndomU card 0: removed\nstatus 0\n");
});

Deno.test("deprovision leaves a card alone whose guest plays, and --force detaches it in order", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    const daemon = await box.serve();
    const sound = makeWav(box.path("in.wav"), {
      format: "s16_le",
      channels: 2,
      rate: 48000,
      frames: 2_000_000,
    });
    const playing = box.spawn("play", sound, "domU");
    await box.untilStream("domU/0/0/0", ({ state }) => state === "running");
    assertFails(
      await box.run("deprovision", "domU"),
      1,
      /domU\/0\/0\/0 is in use: its guest has it open, .* detach with --force/,
    );
    assert.equal((await box.stream("domU/0/0/0")).state, "running");
    assert.equal(await box.ok("deprovision", "domU", "--force"), "domU card 0: removed\n");
    assert.notEqual((await playing.result).code, 0);
    assert.match(daemon.stderr, /domU\/0: disconnected: the toolstack detaches the card/);
    assert.equal(await box.ok("list", "-o", "name"), "");
  }));
