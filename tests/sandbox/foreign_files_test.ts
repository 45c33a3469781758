// SPDX-License-Identifier: MIT
/** `play`, `demo` and a dummy device that captures a file all treat a faulty file of another program alike. */
import assert from "node:assert/strict";
import { wavOf } from "../unit/wav_kit.ts";
import {
  assertSameSamples,
  type Box,
  makeWav,
  type Process,
  samplesOf,
  sharedBox,
  until,
  xsnd,
} from "./harness.ts";

const FRAMES = 9600;
const PLAYED = "domU/0/0/0";
const HEARD = "domU/0/0/1";

let daemon: Process;
const served = sharedBox(async (box) => {
  writeForeign(box);
  await box.provision("domU", [
    { type: "playback", device: `dummy:${box.path("played.wav")}` },
    { type: "capture", device: `dummy:${box.path("foreign.wav")}` },
  ]);
  daemon = await box.serve();
});

/**
 * Writes `foreign.wav`, a partial copy of a recording by arecord -f S24_LE: each sample is in the low three octets of four.
 * The last second is missing, and the data ends within a frame. `whole.wav` has the samples of the whole frames.
 */
function writeForeign(box: Box): void {
  const packed = samplesOf(
    makeWav(box.path("whole.wav"), { format: "s24_le", channels: 2, rate: 48000, frames: FRAMES }),
  );
  const low = new Uint8Array(packed.length / 3 * 4);
  for (let i = 0; i < packed.length / 3; i++) {
    low.set(packed.subarray(i * 3, i * 3 + 3), i * 4);
    low[i * 4 + 3] = packed[i * 3 + 2]! >= 0x80 ? 0xff : 0;
  }
  const fmt = "0100020080bb000000dc050008001800";
  const samples = low.toHex() + "0102030405";
  Deno.writeFileSync(
    box.path("foreign.wav"),
    wavOf([["fmt ", fmt], ["data", samples, 8 * (FRAMES + 48_000)]]).subarray(0, -1),
  );
}

/** The messages about `foreign.wav` when it is read as a file. */
const FINDINGS = [
  "the header says 24 bits in frames of 8 octets for 2 channels, as arecord writes S24_LE; the low 24 of 32 bits are played",
  `the header says ${8 * (FRAMES + 48_000)} octets of samples, the file has ${
    8 * FRAMES + 5
  }; these are played`,
  "the samples end 5 octets into a frame of 8; the whole frames are played",
];

/** Asserts that `run` plays the whole frames and reports `said`. */
async function assertPlays(
  run: () => Promise<{ code: number; stdout: string; stderr: string }>,
  said: string[],
) {
  const [output, whole] = ["played.wav", "whole.wav"].map((name) => served().path(name));
  const { code, stdout, stderr } = await run();
  assert.deepEqual({ code, stderr }, { code: 0, stderr: said.map((line) => `xsnd: ${line}\n`).join("") });
  assert.match(
    stdout,
    new RegExp(`^played ${FRAMES} frames \\(48000 Hz, s24_le, 2 channels\\) .* 0 xruns`),
  );
  assertSameSamples(samplesOf(output!), samplesOf(whole!));
}

Deno.test("play plays what is there of a file, at its level, and says on stderr what is wrong with it: exit 0", () => {
  const file = served().path("foreign.wav");
  return assertPlays(
    () => served().run("play", file, PLAYED),
    FINDINGS.map((finding) => `${file}: ${finding}`),
  );
});

Deno.test("play plays the same from standard input, and says what is wrong where it ends", () => {
  const box = served();
  const piped = ["sh", "-c", 'cat "$0" | "$@"', box.path("foreign.wav")];
  const missing = 8 * 48_000 - 5;
  return assertPlays(() => box.spawnUnder(piped, "play", "-", PLAYED).result, [
    `standard input: ${FINDINGS[0]}`,
    `standard input: the samples end ${missing} octets early; all before are played`,
    `standard input: ${FINDINGS[2]}`,
  ]);
});

Deno.test("a card captures what is there of a file, at its level, and the log says what is wrong with it", async () => {
  const box = served();
  const [file, recorded] = ["foreign.wav", "recorded.wav"].map((name) => box.path(name));
  const shape = ["--seconds", "0.1", "--format", "s24_le"];
  assert.match(await box.ok("record", recorded!, HEARD, ...shape), / 0 xruns;/);
  const samples = samplesOf(recorded!);
  assertSameSamples(samples, samplesOf(box.path("whole.wav")).subarray(0, samples.length));
  for (const finding of FINDINGS) {
    const line = `xsnd: warning: ${HEARD}: ${file}: ${finding}\n`;
    await until(line, () => daemon.stderr.includes(line));
  }
});

Deno.test("demo plays what is there of a file, and says once what is wrong with it", async () => {
  const file = served().path("foreign.wav");
  const { code, stdout, stderr } = await xsnd(["demo", "--json", "--input", file]);
  assert.equal(stderr, FINDINGS.map((finding) => `xsnd: ${file}: ${finding}\n`).join(""));
  assert.deepEqual([code, JSON.parse(stdout).frames, JSON.parse(stdout).bitExact], [0, FRAMES, true]);
});
