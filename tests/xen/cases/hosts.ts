// SPDX-License-Identifier: MIT
/** Hosts: xl's cards, several guests on one device, and a host without any guest. */
import assert from "node:assert/strict";
import type { Bench } from "../lab/testing.ts";
import {
  aplay,
  assertDemo,
  assertHolds,
  CD,
  countUnderruns,
  type Daemon,
  frameOctets,
  give,
  LOOPBACK,
  noise,
  quote,
  recordLoopback,
  shapeOptions,
  take,
  until,
  waitForCard,
} from "../rig.ts";

/** An integrator's ALSA configuration of a software mixer on AC97. */
export const MIXER = `
pcm.mixed { type dmix ipc_key 4711 slave { pcm "hw:0,0" rate 48000 format S16_LE channels 2 period_size 1024 buffer_size 8192 } }
`;

/** The line of `xl vsnd-list` for card 0 while the card is connected (XenbusStateConnected is 4). */
const LISTED = /^devid: 0, be-domid: 0, .*state: 4, /m;

/** A card in a guest's xl.cfg. */
const XL_CARD = "vsnd = [[ 'card, backend=Domain-0, buffer-size=65536, short-name=XL, sample-rates=48000, " +
  "sample-formats=s16_le, channels-max=2', 'pcm, name=dev1', 'stream, unique-id=x, type=P' ]]\n";

export function xlCases(
  bench: Bench,
  daemon: () => Daemon,
  restart: (options?: string) => Promise<void>,
): void {
  bench.test("a card that xl makes with the guest is served, listed, attached and detached", async (lab) => {
    await restart("--default-device hw:5,0");
    await using guest = await lab.guest("xl-made", { config: XL_CARD });
    await waitForCard(lab, guest);
    const bytes = noise(CD, 2);
    const heard = await recordLoopback(lab, CD, async () => void await aplay(guest, bytes, CD));
    assertHolds(heard, bytes, frameOctets(CD));
    assert.match(await lab.dom0.run("xsnd list"), /xl-made +0 +XL +xl /);
    assert.match(await lab.dom0.run(`xl vsnd-list ${guest.domid}`), LISTED);
    await lab.dom0.run(`xl vsnd-detach ${guest.domid} 0`);
    await until(guest, "! [ -d /proc/asound/card0 ]", "the card to go");
    assert.equal(await lab.dom0.run(`xenstore-ls /libxl/${guest.domid}/device/vsnd 2>/dev/null || true`), "");
    await lab.dom0.run(
      `xl vsnd-attach ${guest.domid} card,backend=Domain-0,buffer-size=65536,short-name=Again,sample-rates=48000,` +
        "sample-formats=s16_le,channels-max=2 pcm,name=dev1 stream,unique-id=x,type=P",
    );
    await waitForCard(lab, guest);
    assert.equal(countUnderruns(await aplay(guest, noise(CD, 1), CD)), 0);
  });

  for (const kernel of ["6.1", "7"] as const) {
    bench.test(`a guest that is saved and restored with its PCM closed plays as before, Linux ${kernel}`, async (lab) => {
      await restart("--default-device hw:5,0");
      let guest = await lab.guest(`saved-${kernel}`, { kernel, config: XL_CARD });
      try {
        await waitForCard(lab, guest);
        assert.equal(countUnderruns(await aplay(guest, noise(CD, 1), CD)), 0);
        const descriptors = () => lab.dom0.run(`ls /proc/${daemon().pid}/fd | wc -l`);
        const before = await descriptors();
        await guest.run("dmesg -c >/dev/null");
        for (let times = 0; times < 2; times++) {
          const { domid } = guest;
          guest = await guest.restored();
          assert.notEqual(guest.domid, domid);
          await waitForCard(lab, guest);
          const bytes = noise(CD, 2);
          const heard = await recordLoopback(lab, CD, async () => void await aplay(guest, bytes, CD));
          assertHolds(heard, bytes, frameOctets(CD));
          const left = await lab.dom0.run(
            `xenstore-ls /local/domain/0/backend/vsnd/${domid} 2>/dev/null || true`,
          );
          assert.equal(left, "");
        }
        assert.doesNotMatch(await guest.run("dmesg"), /WARNING|BUG|Oops|fault|Call Trace/);
        assert.equal(await descriptors(), before);
      } finally {
        await guest[Symbol.asyncDispose]();
      }
    });
  }

  for (const kernel of ["6.1", "7"] as const) {
    bench.test(`a guest that is saved and restored with its PCM open fails its program once, and plays, Linux ${kernel}`, async (lab) => {
      await restart("--default-device hw:5,0");
      let guest = await lab.guest(`saved-${kernel}`, { kernel, config: XL_CARD });
      try {
        await waitForCard(lab, guest);
        await guest.run("dmesg -c >/dev/null");
        for (let times = 0; times < 2; times++) {
          // No shell of this host's waits for the program: the guest has another connection after the restore.
          const play = `aplay -q -D hw:0,0 ${
            shapeOptions(CD)
          } -d 60 /dev/zero 2>/tmp/said; echo $? >/tmp/ended`;
          await guest.run(`rm -f /tmp/ended; setsid sh -c ${quote(play)} >/dev/null 2>&1 </dev/null &`);
          await until(lab.dom0, "grep -q RUNNING /proc/asound/card5/pcm0p/sub0/status", "the guest to play");
          guest = await guest.restored();
          await until(guest, "[ -s /tmp/ended ]", "the program's end", 40);
          assert.match(await guest.run("cat /tmp/said"), /timed out|Input.output error/);
          const state = `/local/domain/0/backend/vsnd/${guest.domid}/0/state`;
          await until(lab.dom0, `[ "$(xenstore-read ${state})" = 4 ]`, "the driver to have its card", 60);
          const bytes = noise(CD, 2);
          const heard = await recordLoopback(lab, CD, async () => void await aplay(guest, bytes, CD));
          assertHolds(heard, bytes, frameOctets(CD));
        }
        assert.doesNotMatch(await guest.run("dmesg"), /WARNING|BUG|Oops|fault|Call Trace/);
      } finally {
        await guest[Symbol.asyncDispose]();
      }
    });
  }

  bench.test("xl lists and detaches a card that xsnd provisioned", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, LOOPBACK);
    assert.match(await lab.dom0.run(`xl vsnd-list ${guest.domid}`), LISTED);
    await lab.dom0.run(`xl vsnd-detach ${guest.domid} 0`);
    await until(guest, "! [ -d /proc/asound/card0 ]", "the card to go");
    await take(lab, guest);
  });
}

export function hostCases(bench: Bench, amd64: boolean): void {
  if (amd64) {
    bench.test("two guests play at once through dmix on one card", async (lab) => {
      const guests = [await bench.guest("6.1"), await bench.guest("7")];
      for (const guest of guests) await give(lab, guest, { pcms: [[{ type: "playback", device: "mixed" }]] });
      const said = await Promise.all(guests.map((guest) => aplay(guest, noise(CD, 10), CD)));
      assert.deepEqual(said.map(countUnderruns), [0, 0], said.join("\n"));
    });
  }

  bench.test("xsnd demo on real Xen, with domain 0 as its own guest", async (lab) => {
    await assertDemo(lab, "xsnd");
    const left = await lab.dom0.run(
      "xenstore-ls -f /local/domain/0 | grep '^/local/domain/0/[^ ]*vsnd/0[/ ]' || true",
    );
    assert.equal(left, "");
  });
}
