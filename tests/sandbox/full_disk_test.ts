// SPDX-License-Identifier: MIT
/** A full disk under the daemon's log, under a trace, and under a dummy device's file. */
import assert from "node:assert/strict";
import { assertSameSamples, type Box, inBox, makeWav, Process, samplesOf, until } from "./harness.ts";

/** Runs `body` with a directory on a disk of 64 KiB. Needs root. */
async function withSmallDisk(box: Box, body: (directory: string) => Promise<void>): Promise<void> {
  const directory = box.path("disk");
  Deno.mkdirSync(directory);
  const { code, stderr } = await new Process("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", directory])
    .result;
  assert.equal(code, 0, stderr);
  try {
    await body(directory);
  } finally {
    await new Process("umount", ["--lazy", directory]).result;
  }
}

const isRoot = Deno.uid() === 0;
const SOUND = { format: "s16_le", channels: 2, rate: 48000, frames: 2 * 48000 };

Deno.test("a log that can take no line ends no daemon, and no sound", () =>
  inBox(async (box) => {
    const played = box.path("played.wav");
    await box.provision("domU", [{ type: "playback", device: `dummy:${played}` }]);
    const daemon = box.spawnUnder(["sh", "-c", 'exec "$0" "$@" 2>/dev/full'], "serve", "-v");
    await until("it serves", () => box.status().catch(() => undefined));
    const wav = makeWav(box.path("sound.wav"), SOUND);
    for (let round = 0; round < 2; round++) await box.ok("play", wav, "domU", "--json");
    assertSameSamples(samplesOf(played), samplesOf(wav));
    assert(!daemon.ended);
  }));

Deno.test(
  "a trace whose disk is full says so, and its stream plays on (needs root)",
  { ignore: !isRoot },
  () =>
    inBox((box) =>
      withSmallDisk(box, async (disk) => {
        const played = box.path("played.wav");
        await box.provision("domU", [{ type: "playback", device: `dummy:${played}` }]);
        const daemon = await box.serve();
        const wav = makeWav(box.path("sound.wav"), { ...SOUND, frames: 3 * 48000 });
        const tracing = box.spawn("trace", "record", "domU", "-o", `${disk}/trace`);
        // Small periods make many records.
        await box.ok("play", wav, "domU", "--json", "--period-frames", "128", "--buffer-frames", "4096");
        const { code, stderr } = await tracing.result;
        assert.equal(code, 1);
        assert.match(stderr, /^xsnd: cannot write .*trace: .*no space left/m);
        assertSameSamples(samplesOf(played), samplesOf(wav));
        assert(!daemon.ended && !/^\s+at /m.test(daemon.stderr), daemon.stderr);
      })
    ),
);

Deno.test("a dummy card whose disk is full is lost, says so, and others play on (needs root)", {
  ignore: !isRoot,
}, () =>
  inBox(
    (box) =>
      withSmallDisk(box, async (disk) => {
        const played = box.path("played.wav");
        await box.provision("domU", [{ type: "playback", device: `dummy:${disk}/played.wav` }]);
        await box.provision("other", [{ type: "playback", device: `dummy:${played}` }]);
        const daemon = await box.serve();
        const wav = makeWav(box.path("sound.wav"), SOUND);
        const [full] = await Promise.all([
          box.run("play", wav, "domU"),
          box.ok("play", wav, "other", "--json"),
        ]);
        assert([0, 1].includes(full.code), full.stderr);
        assertSameSamples(samplesOf(played), samplesOf(wav));
        assert.match(daemon.stderr, /domU.*no space left/);
        assert(!daemon.ended && !/^\s+at /m.test(daemon.stderr), daemon.stderr);
      }),
    "domU",
    "other",
  ));
