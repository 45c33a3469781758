// SPDX-License-Identifier: MIT
/** Lifetimes: daemon, guests, driver, cards and devices start and end in any order. */
import assert from "node:assert/strict";
import { say } from "../lab/command.ts";
import type { Bench } from "../lab/testing.ts";
import {
  AC97,
  aplay,
  assertHolds,
  background,
  CD,
  countUnderruns,
  type Daemon,
  endPlay,
  find,
  frameOctets,
  give,
  LOOPBACK,
  noise,
  recordLoopback,
  shapeOptions,
  take,
  until,
  waitForCard,
} from "../rig.ts";

/** @param restart starts a new daemon for all cases in place of the old one */
export function lifeCases(
  bench: Bench,
  daemon: () => Daemon,
  restart: (options?: string) => Promise<void>,
): void {
  bench.test("a guest that is destroyed in mid-play is gone within 5 s, and others play on", async (lab) => {
    const other = await bench.guest("6.1");
    await give(lab, other, LOOPBACK);
    await using victim = await lab.guest("victim");
    await give(lab, victim, { pcms: [[{ type: "playback", device: "hw:5,0,1" }]] });
    const bytes = noise(CD, 6);
    const heard = await recordLoopback(lab, CD, async () => {
      const playing = background(aplay(other, bytes, CD));
      const doomed = background(
        assert.rejects(
          victim.attempt(`aplay -q -D hw:0,0 ${shapeOptions(CD)} -d 30 /dev/zero`, { timeout: 60 }),
          /is the guest gone/,
        ),
      );
      await until(lab.dom0, "grep -q RUNNING /proc/asound/card5/pcm0p/sub1/status", "the victim to play");
      await lab.dom0.run(`xl destroy ${victim.domid}`);
      await until(lab.dom0, `! xl list | grep -qE '\\b${victim.domid} |null'`, "the domain to be gone", 5);
      assert.equal(countUnderruns(await playing), 0);
      await doomed;
      assert.equal(await victim.exists(), false);
    });
    assertHolds(heard, bytes, frameOctets(CD));
    await until(lab.dom0, "grep -q closed /proc/asound/card5/pcm0p/sub1/status", "the card to be closed");
  });

  bench.test("the driver can be removed and loaded again", async (lab) => {
    for (const kernel of ["6.1", "7"] as const) {
      const guest = await bench.guest(kernel);
      await give(lab, guest, LOOPBACK);
      // A driver on the Xen bus cannot be removed while it has a device, so the device is unbound first.
      await guest.run(
        "dmesg -c >/dev/null; echo vsnd-0 >/sys/bus/xen/drivers/vsnd/unbind && rmmod snd_xen_front && " +
          "modprobe snd_xen_front",
        { timeout: 30 },
      );
      await waitForCard(lab, guest);
      assert.doesNotMatch(await guest.run("dmesg"), /Backend state is .* while removing driver/);
      assert.equal(countUnderruns(await aplay(guest, noise(CD, 1), CD)), 0);
    }
  });

  bench.test("a daemon that was killed and started again is heard without a reboot", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, LOOPBACK);
    const playing = background(
      guest.attempt(`aplay -q -D hw:0,0 ${shapeOptions(CD)} -d 30 /dev/zero`, { timeout: 60 }),
    );
    await until(lab.dom0, "grep -q RUNNING /proc/asound/card5/pcm0p/sub0/status", "the guest to play");
    await daemon().end("SIGKILL");
    await restart();
    await playing; // aplay fails, and closes the card
    await waitForCard(lab, guest);
    const bytes = noise(CD, 2);
    const heard = await recordLoopback(lab, CD, async () => void await aplay(guest, bytes, CD));
    assertHolds(heard, bytes, frameOctets(CD));
  });

  bench.test("SIGTERM in mid-play ends the daemon cleanly; the next one serves the same guest", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, LOOPBACK);
    const playing = background(
      guest.attempt(`aplay -q -D hw:0,0 ${shapeOptions(CD)} -d 30 /dev/zero`, { timeout: 60 }),
    );
    await until(lab.dom0, "grep -q RUNNING /proc/asound/card5/pcm0p/sub0/status", "the guest to play");
    assert.equal(await daemon().end("SIGTERM"), 0);
    assert.match(await lab.dom0.run("cat /proc/asound/card5/pcm0p/sub0/status"), /closed/);
    assert.equal((await lab.dom0.attempt("[ -e /run/xsnd/control.sock ]")).code, 1);
    await restart();
    await playing;
    await waitForCard(lab, guest);
    assert.equal(countUnderruns(await aplay(guest, noise(CD, 1), CD)), 0);
  });

  bench.test("a card that is unplugged in mid-play is silence in real time; plugged in again it is heard", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, LOOPBACK);
    const bytes = noise(CD, 40);
    await guest.put("/tmp/long", bytes);
    const playing = background(
      guest.attempt(`aplay -q -D hw:0,0 ${shapeOptions(CD)} /tmp/long`, { timeout: 90 }),
    );
    const driver = "/sys/bus/platform/drivers/snd_aloop";
    await until(lab.dom0, "grep -q RUNNING /proc/asound/card5/pcm0p/sub0/status", "the guest to play");
    // The write returns when nobody has the device open any more.
    await lab.dom0.run(`echo snd_aloop.0 >${driver}/unbind`, { timeout: 30 });
    const pointer =
      "awk '/^hw_ptr/ { print $3 }' /proc/asound/card0/pcm0p/sub0/status; cut -d' ' -f1 /proc/uptime";
    const look = async (script: string) => {
      const [frames, seconds] = (await guest.run(script)).split("\n").map(Number);
      return [frames!, seconds!] as const;
    };
    const [from, since] = await look(pointer);
    const [to, now] = await look(`sleep 3; ${pointer}`);
    assert.match(await lab.dom0.run("xsnd status"), / card lost$/m);
    const [passed, expected] = [to - from, (now - since) * CD.rate];
    assert(Math.abs(passed - expected) < CD.rate / 2, `${passed} frames in ${now - since} s`);
    await lab.dom0.run(`echo snd_aloop.0 >${driver}/bind`, { timeout: 30 });
    await until(lab.dom0, "grep -q RUNNING /proc/asound/card5/pcm0p/sub0/status", "the card to play again");
    const heard = await recordLoopback(lab, CD, () => new Promise((resolve) => setTimeout(resolve, 2000)));
    const step = frameOctets(CD);
    const middle = Math.floor(heard.length / 2 / step) * step;
    const part = heard.subarray(middle, middle + CD.rate / 2 * step);
    assert.notEqual(find(bytes, part, step), -1, "what is heard is not what is played");
    const { stderr } = await endPlay(guest, playing);
    // The emulated dom0 may stop while its kernel removes or adds a device. The guest is then late, and recovers by itself.
    // A stream clock that jumped or stopped with the device's would cause more than one underrun a change.
    const underruns = countUnderruns(stderr);
    if (underruns > 0) say(`underruns while the card came and went: ${underruns}`);
    assert(underruns <= 2, stderr);
  });

  bench.test(
    "a card that dom0 itself plays to is silence for its guest, and is its as soon as that ends",
    async (lab) => {
      const guest = await bench.guest("6.1");
      await give(lab, guest, AC97);
      await guest.put("/tmp/long", noise(CD, 40));
      const own = `aplay -q -D hw:0,0 ${shapeOptions(CD)} /dev/zero`;
      const card = "/proc/asound/card0/pcm0p/sub0/status";
      await lab.dom0.run(`${own} & echo $! >/tmp/own; until grep -q RUNNING ${card}; do sleep 0.1; done`);
      const playing = background(
        guest.attempt(`aplay -q -D hw:0,0 ${shapeOptions(CD)} /tmp/long`, { timeout: 90 }),
      );
      await until(
        lab.dom0,
        "xsnd status | grep -q ' running .* card lost$'",
        "the guest to play into silence",
      );
      await lab.dom0.run("kill $(cat /tmp/own)");
      await until(lab.dom0, `grep -q RUNNING ${card}`, "the card to play again");
      await until(lab.dom0, "xsnd status | grep ' running ' | grep -vq 'card lost'", "that to be known");
      await endPlay(guest, playing);
    },
    { needs: ["ac97"] },
  );

  bench.test("a card that is named, and comes back under another number, is used again", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, { pcms: [[{ type: "playback", device: "hw:CARD=Loopback,DEV=0" }]] });
    const playing = background(
      guest.attempt(`aplay -q -D hw:0,0 ${shapeOptions(CD)} -d 60 /dev/zero`, { timeout: 120 }),
    );
    const plays = (card: number) => `grep -q RUNNING /proc/asound/card${card}/pcm0p/sub0/status`;
    await until(lab.dom0, plays(5), "the guest to play");
    const unbind = "echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/unbind";
    const load = (index: number) => `modprobe --remove snd-aloop && modprobe snd-aloop index=${index}`;
    try {
      // The write returns when nobody has the device open any more.
      await lab.dom0.run(`${unbind}; ${load(6)}`, { timeout: 60 });
      await until(lab.dom0, plays(6), "the card to play under its new number");
      const { stderr } = await endPlay(guest, playing);
      // As with a card that comes back under its number: the emulated dom0 may stop meanwhile.
      assert(countUnderruns(stderr) <= 2, stderr);
    } finally {
      await lab.dom0.run(`${unbind}; ${load(5)}`, { timeout: 60 });
    }
  });

  bench.test("a card that is taken away leaves nothing in XenStore", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, LOOPBACK);
    await take(lab, guest);
    const left = await lab.dom0.run("xenstore-ls -f | grep vsnd || true");
    assert.doesNotMatch(left, new RegExp(`/(${guest.domid}/device/vsnd|vsnd/${guest.domid})/`), left);
  });
}
