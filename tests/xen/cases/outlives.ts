// SPDX-License-Identifier: MIT
/** What the sound of a guest outlives, under the stock drivers of both kernels. */
import assert from "node:assert/strict";
import { say } from "../lab/command.ts";
import type { Bench } from "../lab/testing.ts";
import {
  aplay,
  assertHoldsButGaps,
  background,
  CD,
  countUnderruns,
  Daemon,
  frameOctets,
  give,
  LOOPBACK,
  noise,
  recordLoopback,
  until,
} from "../rig.ts";

const PLAYS = "grep -q RUNNING /proc/asound/card5/pcm0p/sub0/status";

/** @param succeeded makes another daemon that of all cases */
export function outlivesCases(
  bench: Bench,
  daemon: () => Daemon,
  succeeded: (next: Daemon) => void,
): void {
  for (const kernel of ["6.1", "7"] as const) {
    bench.test(`aplay goes on under a daemon that takes another one's place, Linux ${kernel}`, async (lab) => {
      const guest = await bench.guest(kernel);
      await give(lab, guest, LOOPBACK);
      const bytes = noise(CD, 30);
      const former = daemon();
      const heard = await recordLoopback(lab, CD, async () => {
        const playing = background(aplay(guest, bytes, CD));
        await until(lab.dom0, PLAYS, "the guest to play");
        succeeded(await Daemon.start(lab, "--replace"));
        assert.equal(countUnderruns(await playing), 0);
        assert.match(await daemon().log(), /goes on: 48000 Hz/);
      });
      assert.match(await former.log(), /SIGTERM: ending/);
      const silent = assertHoldsButGaps(heard, bytes, frameOctets(CD), 1);
      say(`the gap of a replacement: ${Math.round(silent * 1000 / CD.rate)} ms`);
    });

    bench.test(`aplay goes on when the daemon is killed and another one stands by, Linux ${kernel}`, async (lab) => {
      const guest = await bench.guest(kernel);
      await give(lab, guest, LOOPBACK);
      const standby = await Daemon.standBy(lab);
      const playing = background(aplay(guest, noise(CD, 15), CD));
      await until(lab.dom0, PLAYS, "the guest to play");
      await daemon().end("SIGKILL");
      succeeded(standby);
      await standby.serves();
      assert.equal(countUnderruns(await playing), 0);
      assert.match(await standby.log(), /goes on: 48000 Hz/);
    });
  }
}
