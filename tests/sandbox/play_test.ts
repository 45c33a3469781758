// SPDX-License-Identifier: MIT
/** `xsnd play`: plays a file into a stream, as a guest of the daemon. */
import assert from "node:assert/strict";
import {
  assertFails,
  assertSameSamples,
  type Box,
  inBox,
  launcher,
  makeWav,
  Process,
  samplesOf,
  sharedBox,
  type Sound,
  until,
} from "./harness.ts";

const sound: Sound = { format: "s16_le", channels: 2, rate: 48000, frames: 12_000 };
const STREAM = "domU/0/0/0";
const FRONTEND = "/local/domain/1/device/vsnd/0";
const BACKEND = "/local/domain/0/backend/vsnd/1/0";

const served = sharedBox(async (box) => {
  await box.provision("domU", [{ type: "playback", device: `dummy:${box.path("played.wav")}` }]);
  await box.serve();
});

/** Runs `body` with an input file to play, and without an output file of the device yet. */
async function inServedBox(body: (box: Box, input: string, output: string) => Promise<void>): Promise<void> {
  const [box, output] = [served(), served().path("played.wav")];
  await Deno.remove(output).catch(() => {});
  await body(box, makeWav(box.path("in.wav"), sound), output);
}

/** Plays without an xrun, and compares the samples. */
async function playExactly(box: Box, input: string, output: string, ...options: string[]): Promise<void> {
  assert.match(await box.ok("play", input, STREAM, ...options), /, 0 xruns;/);
  assertSameSamples(samplesOf(output), samplesOf(input));
}

Deno.test("play puts every sample through, time after time, with either behaviour", () =>
  inServedBox(async (box, input, output) => {
    for (const behaviour of ["linux-6.1", "linux-7.2", "linux-7.2", "linux-6.1"]) {
      await playExactly(box, input, output, "--behaviour", behaviour);
      assert.equal((await box.stream(STREAM)).state, "detached");
    }
    const text = await box.ok("play", input, STREAM);
    assert.match(
      text,
      /^played 12000 frames \(48000 Hz, s16_le, 2 channels\) in 0\.\d+ s; \d+ periods, \d xruns/,
    );
    // The frontend's state is Closed, as rmmod leaves it; the backend waits in InitWait for the next driver.
    await until("InitWait", async () => await box.xenstore("read", `${BACKEND}/state`) === "2\n");
    assert.equal(await box.xenstore("read", `${FRONTEND}/state`), "6\n");
  }));

Deno.test("play finds the stream by less than its whole name, and the domain by its number", () =>
  inServedBox(async (box, input, output) => {
    for (const name of ["domU", "1/0", "1/0/0/0"]) {
      await box.ok("play", input, name);
      assertSameSamples(samplesOf(output), samplesOf(input));
    }
  }));

Deno.test("play asks for the buffer and the period that it was told to", () =>
  inServedBox(async (box, input) => {
    const sizes = ["--buffer-frames", "8192", "--period-frames", "2048"];
    const report = JSON.parse(await box.ok("play", input, STREAM, "--json", ...sizes));
    assert.deepEqual([report.bufferFrames, report.periodFrames], [8192, 2048]);
    // Impossible sizes are made to fit: at least two periods, whole periods, at most the card's buffer-size.
    const odd = ["--buffer-frames", "100", "--period-frames", "3000"];
    const fitted = JSON.parse(await box.ok("play", input, STREAM, "--json", ...odd));
    assert.deepEqual([fitted.bufferFrames, fitted.periodFrames], [6000, 3000]);
  }));

Deno.test("play --raw plays samples that say nothing of themselves", () =>
  inServedBox(async (box, input, output) => {
    const raw = box.path("in.raw");
    Deno.writeFileSync(raw, samplesOf(input));
    await box.ok("play", raw, STREAM, "--raw", "--format", "s16_le", "--rate", "48000", "--channels", "2");
    assertSameSamples(samplesOf(output), samplesOf(input));
  }));

Deno.test("play waits for a daemon that starts later", () =>
  inBox(async (box) => {
    const output = box.path("played.wav");
    await box.provision("domU", [{ type: "playback", device: `dummy:${output}` }]);
    const input = makeWav(box.path("in.wav"), sound);
    const playing = box.spawn("play", input, STREAM);
    await until("its frontend is there", async () =>
      await box.xenstore("ls", FRONTEND).then((t) => /pid/.test(t)));
    await box.serve();
    const { code, stderr } = await playing.result;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assertSameSamples(samplesOf(output), samplesOf(input));
  }));

Deno.test("play into two guests at once disturbs neither", () =>
  inBox(
    async (box) => {
      const sounds = ["domU", "domV"].map((domain, i) => ({
        domain,
        input: makeWav(box.path(`${domain}.in.wav`), { ...sound, channels: i + 1, frames: 30_000 + i }),
        output: box.path(`${domain}.out.wav`),
      }));
      for (const { domain, output } of sounds) {
        await box.provision(domain, [{ type: "playback", device: `dummy:${output}` }]);
      }
      await box.serve();
      await Promise.all(sounds.map(({ domain, input }) => box.ok("play", input, domain)));
      for (const { input, output } of sounds) assertSameSamples(samplesOf(output), samplesOf(input));
    },
    "domU",
    "domV",
  ));

Deno.test("play is the only frontend of its card: a second one is told so, and the first goes on", () =>
  inServedBox(async (box, _, output) => {
    const input = makeWav(box.path("long.wav"), { ...sound, frames: 60_000 });
    const first = box.spawn("play", input, STREAM);
    await box.untilStream(STREAM, ({ state }) => state === "running");
    assertFails(
      await box.run("play", input, STREAM),
      1,
      new RegExp(`card domU/0 is in use: process ${first.pid}`),
    );
    const { code, stderr } = await first.result;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assertSameSamples(samplesOf(output), samplesOf(input));
  }));

Deno.test("play several times at once: one plays, the others are told who does", () =>
  inServedBox(async (box, _, output) => {
    const input = makeWav(box.path("long.wav"), { ...sound, frames: 36_000 });
    const results = await Promise.all([1, 2, 3, 4].map(() => box.run("play", input, STREAM)));
    const [won, ...lost] = results.sort((a, b) => a.code - b.code);
    assert.deepEqual([won!.code, won!.stderr], [0, ""]);
    for (const result of lost) assertFails(result, 1, /card domU\/0 is in use: process \d+ is its frontend/);
    assertSameSamples(samplesOf(output), samplesOf(input));
  }));

Deno.test("play that was killed leaves a card that the next one can use", () =>
  inServedBox(async (box, input, output) => {
    const long = makeWav(box.path("long.wav"), { ...sound, frames: 480_000 });
    for (const behaviour of ["linux-6.1", "linux-7.2"]) {
      const killed = box.spawn("play", long, STREAM, "--behaviour", behaviour);
      await box.untilStream(
        STREAM,
        ({ state, positionFrames }) => state === "running" && positionFrames > 2000,
      );
      await killed.end("SIGKILL");
      await playExactly(box, input, output, "--behaviour", behaviour);
    }
  }));

Deno.test("play that is interrupted closes its stream: exit 130", () =>
  inServedBox(async (box, input, output) => {
    const long = makeWav(box.path("long.wav"), { ...sound, frames: 480_000 });
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const playing = box.spawn("play", long, STREAM);
      await box.untilStream(STREAM, ({ state }) => state === "running");
      const { code, stdout, stderr } = await playing.end(signal);
      assert.deepEqual({ code, stdout, stderr }, { code: 130, stdout: "", stderr: "xsnd: interrupted\n" });
      assert.equal(await box.xenstore("read", `${FRONTEND}/state`), "6\n");
      await box.untilStream(STREAM, ({ state }) => state === "detached");
    }
    await playExactly(box, input, output);
  }));

Deno.test("play says why a stream will not do", () =>
  inBox(async (box) => {
    const stereo = { "sample-rates": [48000], "sample-formats": ["s16_le"], "channels-max": 2 };
    await box.provision(
      "domU",
      [{ type: "capture", device: "dummy:" }],
      [{ type: "playback", device: "dummy:", ...stereo }, { type: "playback", device: "dummy:" }],
      [{ type: "playback", device: "dummy:/nowhere/at/all.wav" }],
    );
    await box.serve();
    const input = (change: Partial<Sound>) => {
      const { format, channels, rate, frames } = { ...sound, ...change };
      return makeWav(box.path(`${format}-${channels}-${rate}.wav`), { format, channels, rate, frames });
    };
    const [plain, fast] = [input({}), input({ rate: 44100 })];
    const [wide, many] = [input({ format: "s32_le" }), input({ channels: 6 })];
    const cases: [path: string, stream: string, code: number, message: RegExp][] = [
      [plain, "domU/0/0", 1, /domU\/0\/0\/0: not for playback/],
      [plain, "domU", 2, /domU could be domU\/0\/1\/0 or domU\/0\/1\/1 or domU\/0\/2\/0; say which/],
      [plain, "domU/1", 1, /there is no stream domU\/1; `xsnd provision domU` gives domU a card/],
      [
        plain,
        "domU/0/0/0/0",
        2,
        /"domU\/0\/0\/0\/0" is no stream name; write DOMAIN\/CARD\/PCM\/STREAM, such as domU\/0\/0\/0/,
      ],
      [plain, "domU/zero", 2, /"domU\/zero" is no stream name/],
      [plain, "nobody", 1, /there is no domain "nobody"/],
      [fast, "domU/0/1/0", 1, /domU\/0\/1\/0 cannot do rate 44100 Hz/],
      [many, "domU/0/1/0", 1, /domU\/0\/1\/0 cannot do 6 channels/],
      [
        wide,
        "domU/0/1/0",
        1,
        /offers s16_le, and .*s32_le.*provision the stream with that format, or convert/,
      ],
      [plain, "domU/0/2/0", 1, /the backend refuses the parameters: ENODEV/],
    ];
    for (const [path, stream, code, message] of cases) {
      assertFails(await box.run("play", path, stream), code, message);
    }
    await box.ok("play", plain, "domU/0/1/0");
  }));

Deno.test("--fail-on-xrun fails for a sound that came too late, and for no other", () =>
  inServedBox(async (box, input) => {
    await box.ok("play", input, STREAM, "--fail-on-xrun");
    // The second half of the file comes a second after the device has played the first.
    const late =
      `{ head -c 24000 ${input}; sleep 1.5; tail -c +24001 ${input}; } | ${launcher} play - ${STREAM} --buffer-frames 2048`;
    const play = (options: string) =>
      new Process("sh", ["-c", `${late} ${options}`], { env: box.environment }).result;
    assert.equal((await play("")).code, 0);
    const { code, stdout, stderr } = await play("--fail-on-xrun");
    assert.equal(code, 1);
    assert.match(stdout, /^played 12000 frames .* [1-9]\d* xruns/);
    assert.match(stderr, /^xsnd: the sound had \d+ xruns?; the daemon's log says whose doing each was$/m);
  }));
