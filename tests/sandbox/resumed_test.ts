// SPDX-License-Identifier: MIT
/** A daemon that ends, or dies, under guests that play and record: the next daemon goes on with their open streams. */
import assert from "node:assert/strict";
import { assertSameSamples, type Box, inBox, makeWav, type Process, samplesOf, until } from "./harness.ts";

const [PLAYBACK, CAPTURE] = ["domU/0/0/0", "domV/0/0/0"];
const SOUND = { format: "s16_le", channels: 2, rate: 48000, frames: 240_000 };

const play = (box: Box): Process => box.spawn("play", makeWav(box.path("in.wav"), SOUND), PLAYBACK);

/** Waits until the stream runs, and is beyond `frames`. */
async function runsBeyond(box: Box, name: string, frames: number): Promise<number> {
  const { positionFrames = 0 } = await box.untilStream(
    name,
    ({ state, positionFrames = 0 }) => state === "running" && positionFrames > frames,
  );
  return positionFrames;
}

Deno.test("a planned restart under a player and a recorder: neither sees an error, and each sample is played once", () =>
  inBox(
    async (box) => {
      const file = box.path("out.wav");
      const device = `dummy:${file}`;
      await box.provision("domU", [{ type: "playback", device }]);
      await box.provision("domV", [{ type: "capture", device: "dummy:" }]);
      let daemon = await box.serve();
      const playing = play(box);
      const recording = box.spawn("record", box.path("rec.wav"), CAPTURE, "--seconds", "3");
      const played: Uint8Array[] = [];
      let [at, from] = [0, 0];
      for (let round = 0; round < 3; round++) {
        at = await runsBeyond(box, PLAYBACK, at);
        from = await runsBeyond(box, CAPTURE, from);
        await daemon.end("SIGTERM");
        played.push(samplesOf(file));
        daemon = await box.serve();
        await until(
          "the stream is open again",
          () => /domU\/0\/0\/0: goes on: 48000 Hz/.test(daemon.stderr) || undefined,
        );
      }
      for (const process of [playing, recording]) {
        const { code, stderr } = await process.result;
        assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      }
      await box.untilStream(PLAYBACK, ({ state }) => state !== "running");
      await daemon.end("SIGTERM");
      played.push(samplesOf(file));
      const all = new Uint8Array(played.flatMap((samples) => [...samples]));
      const expected = samplesOf(box.path("in.wav"));
      // Behind the end the device has played silence until it was stopped.
      assertSameSamples(all.subarray(0, expected.length), expected);
      assert(
        all.subarray(expected.length).every((octet) => octet === 0),
        "something is played behind the end",
      );
      assert.equal(samplesOf(box.path("rec.wav")).length, 3 * SOUND.rate * 4);
    },
    "domU",
    "domV",
  ));

Deno.test("a daemon that is killed under a player: the player goes on, and no sample is missing", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    let daemon = await box.serve();
    const playing = play(box);
    let at = 0;
    for (let round = 0; round < 4; round++) {
      at = await runsBeyond(box, PLAYBACK, at);
      await daemon.end("SIGKILL");
      daemon = await box.serve();
    }
    const { code, stderr, stdout } = await playing.result;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /240000 frames/);
    const { xruns } = await box.stream(PLAYBACK);
    assert.equal(xruns, 0);
  }));
