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
/** How many daemons take each other's place under one player. */
const ROUNDS = Number(Deno.env.get("XSND_SUCCESSIONS") ?? 1);
/** Many rounds take minutes, in which sound of this shape is megabytes. */
const SHAPE = ROUNDS === 1 ? CD : { format: "S16_LE", rate: 8000, channels: 1 } as const;
/** One round, with the start of a daemon in an emulator, takes no longer. */
const ROUND_SECONDS = 25;

/** @param succeeded makes another daemon that of all cases */
export function outlivesCases(
  bench: Bench,
  daemon: () => Daemon,
  succeeded: (next: Daemon) => void,
): void {
  for (const kernel of ["6.1", "7"] as const) {
    bench.test(`aplay goes on under a daemon that takes another one's place, Linux ${kernel}`, async (lab) => {
      const guest = await bench.guest(kernel);
      await give(lab, guest, { ...LOOPBACK, "sample-rates": [SHAPE.rate] });
      const seconds = 5 + ROUNDS * ROUND_SECONDS;
      const bytes = noise(SHAPE, seconds);
      const heard = await recordLoopback(lab, SHAPE, async () => {
        const playing = background(aplay(guest, bytes, SHAPE, seconds + 60));
        await until(lab.dom0, PLAYS, "the guest to play");
        for (let round = 0; round < ROUNDS; round++) {
          const former = daemon();
          succeeded(await Daemon.start(lab, "--replace"));
          await former.says(/SIGTERM: ending/);
          await daemon().says(/goes on: \d+ Hz/);
        }
        assert.equal(countUnderruns(await playing), 0);
      });
      const gaps = assertHoldsButGaps(heard, bytes, frameOctets(SHAPE), ROUNDS);
      const milliseconds = gaps.map((frames) => Math.round(frames * 1000 / SHAPE.rate)).join(", ");
      say(`the gaps of ${ROUNDS} replacements, in ms: ${milliseconds}`);
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
