// SPDX-License-Identifier: MIT
/** The Debian package in dom0, installed by dpkg: it works without this tree and without a network. */
import assert from "node:assert/strict";
import { basename, dirname } from "node:path";
import { VERSION } from "../../../lib/base/version.ts";
import { makePackage } from "../../../packaging/deb.ts";
import { run } from "../lab/command.ts";
import type { Bench } from "../lab/testing.ts";
import {
  aplay,
  assertDemo,
  assertHolds,
  background,
  CD,
  countUnderruns,
  Daemon,
  endPlay,
  frameOctets,
  give,
  LOOPBACK,
  noise,
  recordLoopback,
  shapeOptions,
  take,
  until,
} from "../rig.ts";

/** Prefix of a command: the environment of a machine that has only the package. */
const ALONE = "unshare --net env --ignore-environment PATH=/usr/sbin:/usr/bin HOME=/root";

/** The version of the newer build. */
const NEWER = `${VERSION}+1`;

/** @param restart starts a new daemon for all cases in place of the old one */
export function packageCases(
  bench: Bench,
  daemon: () => Daemon,
  restart: (options?: string) => Promise<void>,
): void {
  bench.test("the Debian package installs without a network, is upgraded under a guest that plays, and goes without a trace", async (lab) => {
    const deb = await makePackage({ output: lab.directory, fast: true });
    await lab.dom0.run(`dpkg --install /host/${basename(deb)}`, { timeout: 240 });
    try {
      assert.equal(await lab.dom0.run(`${ALONE} xsnd --version`), `${VERSION}\n`);
      await assertDemo(lab, `${ALONE} xsnd`);
      await daemon().end();
      await serveAGuest(bench, await newerBuild(deb));
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

/** The package once more, as the next version. Returns its path. */
async function newerBuild(deb: string): Promise<string> {
  const [directory, newer] = [`${dirname(deb)}/newer`, `${dirname(deb)}/newer.deb`];
  try {
    await run("dpkg-deb", ["--raw-extract", deb, directory]);
    const control = `${directory}/DEBIAN/control`;
    const text = await Deno.readTextFile(control);
    await Deno.writeTextFile(control, text.replace(/^Version: .*$/m, `Version: ${NEWER}`));
    await run("dpkg-deb", ["--root-owner-group", "-Zgzip", "-z1", "--build", directory, newer]);
    return newer;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Starts the package's daemon, plays through it in a guest, and upgrades the package while the guest plays. */
async function serveAGuest(bench: Bench, newer: string): Promise<void> {
  const { lab } = bench;
  let daemon = await Daemon.start(lab, "--realtime", `${ALONE} xsnd`);
  try {
    const guest = await bench.guest("6.1");
    await give(lab, guest, LOOPBACK);
    const bytes = noise(CD, 2);
    const heard = await recordLoopback(lab, CD, async () => void await aplay(guest, bytes, CD));
    assertHolds(heard, bytes, frameOctets(CD));
    assert.match(await lab.dom0.run(`${ALONE} xsnd status`), /^linux-6\.1\/0\/0\/0\b/m);
    const playing = background(
      guest.attempt(`aplay -q -D hw:0,0 ${shapeOptions(CD)} -d 240 /dev/zero`, { timeout: 300 }),
    );
    await until(lab.dom0, "grep -q RUNNING /proc/asound/card5/pcm0p/sub0/status", "the guest to play");
    await lab.dom0.run(`dpkg --install /host/${basename(newer)}`, { timeout: 240 });
    assert((await lab.dom0.run("dpkg --status xsnd")).includes(`\nVersion: ${NEWER}\n`));
    daemon = await Daemon.start(lab, "--realtime --replace", `${ALONE} xsnd`);
    const { stderr } = await endPlay(guest, playing);
    assert.equal(countUnderruns(stderr), 0, stderr);
    assert.match(await daemon.log(), /goes on: 48000 Hz/);
    await take(lab, guest);
  } finally {
    await Deno.remove(newer);
    assert.equal(await daemon.end(), 0, await daemon.log());
  }
}
