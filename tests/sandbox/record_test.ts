// SPDX-License-Identifier: MIT
/** `xsnd record`: records a stream into a file, as a guest of the daemon. */
import assert from "node:assert/strict";
import {
  assertFails,
  assertSameSamples,
  type Box,
  inBox,
  makeWav,
  samplesOf,
  sharedBox,
  type Sound,
} from "./harness.ts";

const sound: Sound = { format: "s16_le", channels: 2, rate: 48000, frames: 48_000 };
const STREAM = "domU/0/0/0";

const served = sharedBox(async (box) => {
  await box.provision("domU", [{ type: "capture", device: `dummy:${box.path("heard.wav")}` }]);
  await box.serve();
});

/** Runs `body` with a device that captures `sound`. */
async function inServedBox(sound: Sound, body: (box: Box, heard: string) => Promise<void>): Promise<void> {
  await body(served(), makeWav(served().path("heard.wav"), sound));
}

for (
  const { format, channels, rate, behaviour } of [
    { format: "s16_le", channels: 2, rate: 48000, behaviour: "linux-6.1" },
    { format: "s24_le", channels: 6, rate: 44100, behaviour: "linux-7.2" },
    { format: "float_le", channels: 1, rate: 96000, behaviour: "linux-7.2" },
  ]
) {
  Deno.test(`record takes what the card hears, from its first sample on: ${format}, ${channels} channels, ${rate} Hz`, () =>
    inServedBox({ format, channels, rate, frames: rate }, async (box, heard) => {
      const file = box.path("recorded.wav");
      const as = [
        "--format",
        format,
        "--channels",
        `${channels}`,
        "--rate",
        `${rate}`,
        "--behaviour",
        behaviour,
      ];
      const report = JSON.parse(await box.ok("record", file, STREAM, "--seconds", "0.4", ...as, "--json"));
      const frames = Math.round(rate * 0.4);
      assert.deepEqual([report.frames, report.xruns, report.format], [frames, 0, format]);
      const recorded = samplesOf(file);
      const octets = recorded.length / frames;
      assert.equal(octets, channels * { s16_le: 2, s24_le: 3, float_le: 4 }[format]!);
      assertSameSamples(recorded, samplesOf(heard).subarray(0, recorded.length));
    }));
}

Deno.test("record hears silence after the end of the card's file, and again the file when it is opened again", () =>
  inServedBox({ ...sound, frames: 6000 }, async (box, heard) => {
    for (let round = 0; round < 2; round++) {
      const file = box.path("recorded.wav");
      await box.ok("record", file, STREAM, "--seconds", "0.25");
      const recorded = samplesOf(file);
      assert.equal(recorded.length, 12_000 * 4);
      assertSameSamples(recorded.subarray(0, 6000 * 4), samplesOf(heard));
      assert(recorded.subarray(6000 * 4).every((octet) => octet === 0));
    }
  }));

Deno.test("record --raw writes samples and nothing else", () =>
  inServedBox(sound, async (box, heard) => {
    const file = box.path("recorded.raw");
    const text = await box.ok("record", file, STREAM, "--raw", "--seconds", "0.2");
    assert.match(
      text,
      /^recorded 9600 frames \(48000 Hz, s16_le, 2 channels\) in 0\.\d+ s; \d+ periods, 0 xruns/,
    );
    assertSameSamples(Deno.readFileSync(file), samplesOf(heard).subarray(0, 9600 * 4));
  }));

Deno.test("record that is interrupted leaves a WAV file with what it had", () =>
  inServedBox({ ...sound, frames: 96_000 }, async (box, heard) => {
    const file = box.path("recorded.wav");
    const recording = box.spawn("record", file, STREAM, "--seconds", "60");
    // The last READ may be answered and not yet in the file.
    await box.untilStream(STREAM, ({ guestFrames }) => guestFrames > 40_000);
    const { code, stderr } = await recording.end("SIGINT");
    assert.deepEqual({ code, stderr }, { code: 130, stderr: "xsnd: interrupted\n" });
    const recorded = samplesOf(file);
    assert(recorded.length >= 20_000 * 4);
    assertSameSamples(recorded.subarray(0, 20_000 * 4), samplesOf(heard).subarray(0, 20_000 * 4));
    await box.untilStream(STREAM, ({ state }) => state === "detached");
  }));

Deno.test("record says what will not do, and goes on working", () =>
  inServedBox(sound, async (box) => {
    const record = (...args: string[]) =>
      box.run("record", box.path("x.wav"), STREAM, "--seconds", "0.1", ...args);
    assertFails(await record("--rate", "44100"), 1, /domU\/0\/0\/0 cannot do rate 44100 Hz/);
    assertFails(await record("--channels", "1"), 1, /domU\/0\/0\/0 cannot do 1 channels/);
    assertFails(await record("--format", "u8"), 1, /domU\/0\/0\/0 cannot do format u8/);
    assertFails(
      await box.run("record", box.path("no/x.wav"), STREAM),
      1,
      /cannot create .*no\/x\.wav: no such file/,
    );
    for (
      const [option, value] of [
        ["--channels", "1.5"],
        ["--rate", "0"],
        ["--seconds", "-1"],
        ["--rate", "fast"],
        ["--format", "s17_le"],
      ]
    ) {
      const { code, stdout, stderr } = await record(option!, value!);
      assert.deepEqual([code, stdout], [2, ""], `${option} ${value}: ${stderr}`);
      assert.match(stderr, new RegExp(`'${option} .*argument '${value}' is invalid`));
    }
    await box.ok("record", box.path("x.wav"), STREAM, "--seconds", "0.1");
  }));

Deno.test("record of a stream that is denied hears silence in real time, and its guest sees what any guest sees", () =>
  inBox(async (box) => {
    const heard = makeWav(box.path("heard.wav"), sound);
    const trees: string[] = [];
    for (const denied of [false, true]) {
      await box.provision("domU", [{ type: "capture", device: `dummy:${heard}`, denied }]);
      trees.push(await box.xenstore("ls", "-p", "/local/domain/1/device/vsnd"));
    }
    assert.equal(trees[0], trees[1]);
    await box.serve();
    const file = box.path("recorded.wav");
    const report = JSON.parse(await box.ok("record", file, STREAM, "--seconds", "0.5", "--json"));
    assert.deepEqual([report.frames, report.xruns], [24_000, 0]);
    assert(report.seconds >= 0.4, `${report.seconds} s`);
    assert(samplesOf(file).every((octet) => octet === 0));
    assert.match(await box.ok("status"), / denied$/m);
    assert.match(await box.ok("show", "domU"), /denied: silence/);
  }));
