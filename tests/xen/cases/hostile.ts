// SPDX-License-Identifier: MIT
/** A frontend that breaks the protocol, on real grants and event channels: domain 0 is its own guest. */
import assert from "node:assert/strict";
import type { Bench } from "../lab/testing.ts";
import { aplay, CD, countUnderruns, type Daemon, give, LOOPBACK, noise } from "../rig.ts";

/** The project's folder in dom0; {@link FILES} are the test's additions to it. */
const PROJECT = "/run/xsnd";
const FILES = ["tests/sandbox/raw_frontend.ts", "tests/xen/hostile_frontend.ts"];
const CARD = {
  domains: { "Domain-0": { cards: [{ pcms: [{ streams: [{ type: "playback", device: "dummy:" }] }] }] } },
};

export function hostileCases(bench: Bench, daemon: () => Daemon): void {
  bench.test("attacks on real grants and event channels leave the daemon and its guests as they were", async (lab) => {
    const { dom0 } = lab;
    await dom0.run(`mkdir -p ${PROJECT}/tests/sandbox ${PROJECT}/tests/xen`);
    for (const file of FILES) {
      await dom0.put(
        `${PROJECT}/${file}`,
        await Deno.readTextFile(new URL(`../../../${file}`, import.meta.url)),
      );
    }
    await dom0.put("/tmp/hostile.yaml", JSON.stringify(CARD));
    await dom0.run("xsnd provision Domain-0 -f /tmp/hostile.yaml");
    try {
      const said = await dom0.run(
        `cd ${PROJECT} && deno run --quiet --no-check --cached-only --allow-all tests/xen/hostile_frontend.ts`,
        { timeout: 180 },
      );
      assert.equal(said.trimEnd().split("\n").length, 4, said);
      const log = await daemon().log();
      assert.match(log, /Domain-0\/0\/0\/0: the frontend is broken: its request producer index/);
      assert.doesNotMatch(log, /^\s+at /m);
    } finally {
      await dom0.attempt("xsnd deprovision Domain-0 --force; rm -r /run/xsnd/tests");
    }
    const guest = await bench.guest("6.1");
    await give(lab, guest, LOOPBACK);
    assert.equal(countUnderruns(await aplay(guest, noise(CD, 2), CD)), 0);
  });
}
