// SPDX-License-Identifier: MIT
/** The Debian package in dom0, installed by dpkg: it works without this tree and without a network. */
import assert from "node:assert/strict";
import { basename } from "node:path";
import { VERSION } from "../../../lib/base/version.ts";
import { makePackage } from "../../../packaging/deb.ts";
import type { Bench } from "../lab/testing.ts";
import {
  aplay,
  assertDemo,
  assertHolds,
  CD,
  Daemon,
  frameOctets,
  give,
  LOOPBACK,
  noise,
  recordLoopback,
  take,
} from "../rig.ts";

/** Prefix of a command: the environment of a machine that has only the package. */
const ALONE = "unshare --net env --ignore-environment PATH=/usr/sbin:/usr/bin HOME=/root";

/** @param restart starts a new daemon for all cases in place of the old one */
export function packageCases(
  bench: Bench,
  daemon: () => Daemon,
  restart: (options?: string) => Promise<void>,
): void {
  bench.test("the Debian package installs without a network, works on Xen, and goes without a trace", async (lab) => {
    const deb = await makePackage({ output: lab.directory, fast: true });
    await lab.dom0.run(`dpkg --install /host/${basename(deb)}`, { timeout: 240 });
    try {
      assert.equal(await lab.dom0.run(`${ALONE} xsnd --version`), `${VERSION}\n`);
      await assertDemo(lab, `${ALONE} xsnd`);
      await daemon().end();
      await serveAGuest(bench);
      await lab.dom0.run("dpkg --purge xsnd", { timeout: 60 });
      const left = await lab.dom0.run(
        "find / -xdev -path '*xsnd*' -not -path '/tmp/*' -not -path '/var/lib/dpkg/*'",
      );
      assert.equal(left, "");
    } finally {
      await lab.dom0.attempt("dpkg --purge xsnd");
      await Deno.remove(deb);
      await restart();
    }
  });
}

/** Starts the package's daemon, and plays through it in a guest. */
async function serveAGuest(bench: Bench): Promise<void> {
  const { lab } = bench;
  const daemon = await Daemon.start(lab, "", `${ALONE} xsnd`);
  try {
    const guest = await bench.guest("6.1");
    await give(lab, guest, LOOPBACK);
    const bytes = noise(CD, 2);
    const heard = await recordLoopback(lab, CD, async () => void await aplay(guest, bytes, CD));
    assertHolds(heard, bytes, frameOctets(CD));
    assert.match(await lab.dom0.run(`${ALONE} xsnd status`), /^linux-6\.1\/0\/0\/0\b/m);
    await take(lab, guest);
  } finally {
    assert.equal(await daemon.end(), 0, await daemon.log());
  }
}
