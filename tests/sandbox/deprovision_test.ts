// SPDX-License-Identifier: MIT
/** `xsnd deprovision`, as a user runs it. */
import assert from "node:assert/strict";
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
