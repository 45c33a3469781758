// SPDX-License-Identifier: MIT
/** `/local/domain/0/data/xsnd`: the nodes with which a daemon announces that it serves. */
import assert from "node:assert/strict";
import { type Box, inBox, Process, root, until } from "./harness.ts";

const NODES = "/local/domain/0/data/xsnd";

/** Runs a Debian XenStore tool as the guest with domain id 1. */
const asGuest = (box: Box, tool: string, ...args: string[]) =>
  new Process(`xenstore-${tool}`, args, { env: { XENSTORED_PATH: `${box.xen}/xenstored-1.sock` } });

Deno.test("serve announces itself while it serves, to guests its status alone", () =>
  inBox(async (box) => {
    const watching = asGuest(box, "watch", "-n", "3", `${NODES}/status`);
    const daemon = await box.serve();
    await until("it is announced", async () =>
      (await asGuest(box, "read", `${NODES}/status`).result).code === 0);
    const { version } = JSON.parse(Deno.readTextFileSync(`${root}deno.json`));
    const listed = await box.xenstore("ls", "-fp", NODES);
    assert.deepEqual(
      listed.trimEnd().split("\n").sort(),
      [
        `${NODES}/pid = "${daemon.pid}"   (n0)`,
        `${NODES}/status = "running"   (r0)`,
        `${NODES}/version = "${version}"   (n0)`,
      ],
    );
    assert.equal((await asGuest(box, "read", `${NODES}/status`).result).stdout, "running\n");
    for (const name of ["pid", "version"]) {
      const { code, stdout } = await asGuest(box, "read", `${NODES}/${name}`).result;
      assert.deepEqual([code, stdout], [1, ""], name);
    }
    await daemon.end("SIGTERM");
    assert.equal((await asGuest(box, "exists", `${NODES}/status`).result).code, 1);
    // xenstore-watch reports at its start, when the node appears, and when the node goes.
    assert.equal((await watching.result).stdout, `${NODES}/status\n`.repeat(3));
  }));

Deno.test("serve withdraws what one that was killed has announced, before it serves", () =>
  inBox(async (box) => {
    const killed = await box.serve();
    await killed.end("SIGKILL");
    assert.equal(await box.xenstore("read", `${NODES}/status`), "running\n", "it could not take it away");
    const watching = new Process("xenstore-watch", ["-n", "3", `${NODES}/status`], { env: box.environment });
    await until("it watches", () => watching.stdout !== "");
    const daemon = await box.serve();
    assert.equal((await watching.result).stdout, `${NODES}/status\n`.repeat(3), "it was gone in between");
    await until(
      "it is announced",
      async () => await box.xenstore("read", `${NODES}/pid`) === `${daemon.pid}\n`,
    );
  }));
