// SPDX-License-Identifier: MIT
/** Sound through the stock driver: playback and capture are exact. */
import assert from "node:assert/strict";
import type { Bench } from "../lab/testing.ts";
import {
  aplay,
  assertHolds,
  background,
  CD,
  countUnderruns,
  find,
  frameOctets,
  give,
  LOOPBACK,
  noise,
  recordLoopback,
  type Shape,
  shapeOptions,
} from "../rig.ts";

/** Sample shapes, and seconds of sound in each: 2 s wrap every buffer many times. */
const SHAPES: readonly (readonly [Shape, number])[] = [
  [CD, 5],
  [{ ...CD, format: "S32_LE" }, 2],
  [{ ...CD, channels: 8 }, 2],
  [{ ...CD, rate: 44100 }, 2],
  [{ ...CD, rate: 96000 }, 2],
  [{ ...CD, channels: 1 }, 2],
];

export function soundCases(bench: Bench): void {
  bench.test("a guest's playback arrives bit-exact, in every shape", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, LOOPBACK);
    for (const [shape, seconds] of SHAPES) {
      const bytes = noise(shape, seconds);
      const heard = await recordLoopback(lab, shape, async () => {
        assert.equal(countUnderruns(await aplay(guest, bytes, shape)), 0, shapeOptions(shape));
      });
      assertHolds(heard, bytes, frameOctets(shape));
    }
  });

  bench.test("a guest's capture is bit-exact", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, LOOPBACK);
    const bytes = noise(CD, 5);
    await lab.dom0.put("/tmp/source", bytes);
    // The guest's recording begins before the sound and ends after it.
    const recording = background(
      guest.run(`arecord -q -D hw:0,0 ${shapeOptions(CD)} -d 12 /tmp/heard`, { timeout: 60 }),
    );
    await lab.dom0.run(
      "until grep -q RUNNING /proc/asound/card5/pcm0c/sub0/status; do sleep 0.1; done; " +
        `aplay -q -D hw:5,1 ${shapeOptions(CD)} /tmp/source`,
      { timeout: 60 },
    );
    await recording;
    assertHolds(await guest.get("/tmp/heard"), bytes, frameOctets(CD));
  });

  bench.test("playback and capture run at the same time, on two PCMs", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, {
      pcms: [[{ type: "playback", device: "hw:5,0,0" }], [{ type: "capture", device: "hw:5,1,0" }]],
    });
    const bytes = noise(CD, 5);
    // PCM 1 captures the sound that PCM 0 plays, so the guest records itself.
    const recording = background(
      guest.run(`arecord -q -D hw:0,1 ${shapeOptions(CD)} -d 12 /tmp/heard`, { timeout: 60 }),
    );
    await guest.run("until grep -q RUNNING /proc/asound/card0/pcm1c/sub0/status; do sleep 0.1; done");
    assert.equal(countUnderruns(await aplay(guest, bytes, CD)), 0);
    await recording;
    assertHolds(await guest.get("/tmp/heard"), bytes, frameOctets(CD));
  });

  bench.test("25 opens in a row play in each guest, and 5 of them are heard in full", async (lab) => {
    for (const kernel of ["6.1", "7"] as const) {
      const guest = await bench.guest(kernel);
      await give(lab, guest, LOOPBACK);
      const bytes = noise(CD, 0.25);
      await guest.put("/tmp/short", bytes);
      const play = (times: number) =>
        guest.run(
          `i=0; while [ $i -lt ${times} ]; do aplay -q -D hw:0,0 ${shapeOptions(CD)} --period-size=2048 ` +
            "--buffer-size=8192 /tmp/short || exit 1; i=$((i+1)); done",
          { timeout: 240 },
        );
      await play(20);
      const heard = await recordLoopback(lab, CD, () => play(5).then(() => {}));
      let at = 0;
      for (let i = 0; i < 5; i++) at = assertHolds(heard, bytes, frameOctets(CD), at);
    }
  });

  bench.test("after a forced underrun and a new prepare, sound and positions are right", async (lab) => {
    for (const kernel of ["6.1", "7"] as const) {
      const guest = await bench.guest(kernel);
      await give(lab, guest, LOOPBACK);
      const parts = [noise(CD, 1), noise(CD, 1), noise(CD, 1.1)];
      for (const [i, part] of parts.entries()) await guest.put(`/tmp/part${i}`, part);
      let said = "";
      const heard = await recordLoopback(lab, CD, async () => {
        // The pipe runs dry for a second. aplay stops, prepares and starts the stream again, without opening it again.
        const { code, stderr } = await guest.attempt(
          "(cat /tmp/part0; sleep 2; cat /tmp/part1; sleep 2; cat /tmp/part2) | " +
            `aplay -D hw:0,0 ${shapeOptions(CD)} --period-size=1024 --buffer-size=4096`,
          { timeout: 60 },
        );
        assert.equal(code, 0, stderr);
        said = stderr;
      });
      assert(countUnderruns(said) >= 2, `the underruns were not noticed:\n${said}`);
      assertParts(heard, parts);
    }
  });

  bench.test("two hw_params in a row on one open PCM", async (lab) => {
    for (const kernel of ["6.1", "7"] as const) {
      const guest = await bench.guest(kernel);
      await give(lab, guest, LOOPBACK);
      // aplay sets the parameters for each file, without closing the PCM in between.
      const { code, stderr } = await guest.attempt(
        "for r in 44100 48000 96000; do head -c 96000 /dev/urandom > /tmp/$r.raw; done; " +
          `aplay -q -D hw:0,0 ${shapeOptions(CD)} /tmp/44100.raw /tmp/48000.raw /tmp/96000.raw`,
        { timeout: 60 },
      );
      assert.equal(code, 0, stderr);
    }
  });
}

/**
 * Asserts that the whole of each part was heard, in order. An underrun in the middle of a part may split the part into two
 * pieces with silence between them; no frame may be lost.
 */
function assertParts(heard: Uint8Array, parts: readonly Uint8Array[]): void {
  const step = frameOctets(CD);
  let at = 0;
  for (const part of parts) {
    for (let done = 0; done < part.length;) {
      const start = find(heard, part.subarray(done, done + 64), step, at);
      assert.notEqual(start, -1, `from frame ${done / step} of a part on nothing was heard`);
      let i = 0;
      while (done + i < part.length && heard[start + i] === part[done + i]) i++;
      i -= i % step;
      done += i;
      at = start + i;
    }
  }
}
