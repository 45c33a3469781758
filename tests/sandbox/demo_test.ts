// SPDX-License-Identifier: MIT
/** `xsnd demo`: its report, and whether the report is true. */
import assert from "node:assert/strict";
import {
  assertFails,
  assertSameSamples,
  inBox,
  launcher,
  makeWav,
  Process,
  samplesOf,
  type Sound,
  until,
  xsnd,
} from "./harness.ts";

interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The documented part of the report, and `periodFrames`. */
interface Report {
  readonly frames: number;
  readonly bitExact: boolean;
  readonly events: number;
  readonly periods: number;
  readonly maxPositionErrorFrames: number;
  readonly xruns: number;
  readonly writeRttMicros: Percentiles;
  readonly pingPongMicros: Percentiles;
  readonly seconds: number;
  readonly periodFrames: number;
}

const PROMISED = [
  "frames",
  "bitExact",
  "events",
  "periods",
  "maxPositionErrorFrames",
  "positionGapMicros",
  "xruns",
  "writeRttMicros",
  "pingPongMicros",
  "seconds",
];

async function withDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Runs `demo --json` on `input`; returns the report of a run that passed. */
async function demo(input: string, output: string, ...options: string[]): Promise<Report> {
  const { code, stdout, stderr } = await xsnd([
    "demo",
    "--json",
    "--input",
    input,
    "--output",
    output,
    ...options,
  ]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, stdout);
  assert.equal(stdout.split("\n").length, 2, "one line");
  return JSON.parse(stdout);
}

function judge(report: Report, { frames, rate }: Sound): void {
  assert.deepEqual(PROMISED.filter((key) => !(key in report)), []);
  for (const figures of [report.writeRttMicros, report.pingPongMicros]) {
    assert.deepEqual(Object.keys(figures), ["p50", "p99", "max"]);
    assert(figures.p50 > 0 && figures.p50 <= figures.p99 && figures.p99 <= figures.max);
  }
  assert.equal(report.bitExact, true);
  assert.equal(report.frames, frames);
  assert.equal(report.xruns, 0);
  const seconds = frames / rate;
  assert(report.seconds >= seconds - 0.001 && report.seconds <= seconds + 1, `${report.seconds} s`);
  // The slowest ping-pong between threads tells how late a busy machine tells a position.
  const lateFrames = report.pingPongMicros.max * rate / 1e6;
  assert(
    report.maxPositionErrorFrames <= report.periodFrames / 4 + lateFrames,
    `positions are ${report.maxPositionErrorFrames} frames off, of ${report.periodFrames} a period; ${lateFrames} by the machine`,
  );
  // The driver wakes the player after more than a period: once a period, and never for the last.
  const periods = frames / report.periodFrames;
  assert(
    report.periods >= periods - 1 && report.periods <= periods + 2,
    `${report.periods} of ${periods} periods`,
  );
  assert(report.events >= report.periods, `${report.events} events`);
}

const sounds: readonly Sound[] = [
  { format: "s16_le", channels: 2, rate: 48000, frames: 72_000 },
  { format: "s16_le", channels: 2, rate: 44100, frames: 66_667 },
  { format: "s16_le", channels: 1, rate: 48000, frames: 24_001 },
  { format: "s24_le", channels: 2, rate: 48000, frames: 24_000 },
  { format: "s32_le", channels: 2, rate: 96000, frames: 50_000 },
  { format: "float_le", channels: 2, rate: 48000, frames: 24_000 },
  { format: "s16_le", channels: 8, rate: 48000, frames: 24_000 },
  { format: "s24_le", channels: 8, rate: 48000, frames: 24_000 },
  { format: "u8", channels: 1, rate: 8000, frames: 5000 },
];

sounds.forEach((sound, i) => {
  const { format, channels, rate } = sound;
  const behaviour = ["linux-6.1", "linux-7.2"][i % 2];
  Deno.test(`demo is bit-exact and in time: ${format}, ${channels} channels, ${rate} Hz, as ${behaviour}`, () =>
    withDirectory(async (directory) => {
      const input = makeWav(`${directory}/in.wav`, sound);
      const output = `${directory}/out.wav`;
      const report = await demo(input, output, "--behaviour", behaviour!);
      judge(report, sound);
      assertSameSamples(samplesOf(output), samplesOf(input));
    }));
});

Deno.test("demo keeps its figures with small periods", () =>
  withDirectory(async (directory) => {
    const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 40000 };
    const input = makeWav(`${directory}/in.wav`, sound);
    const sizes = ["--period-frames", "1024", "--buffer-frames", "16384"];
    const report = await demo(input, `${directory}/out.wav`, ...sizes);
    assert.equal(report.periodFrames, 1024);
    judge(report, sound);
  }));

Deno.test("demo plays a file that is shorter than its buffer, or one frame long", () =>
  withDirectory(async (directory) => {
    for (const frames of [10_000, 1]) {
      const input = makeWav(`${directory}/in.wav`, { format: "s16_le", channels: 2, rate: 48000, frames });
      const output = `${directory}/out.wav`;
      const report = await demo(input, output);
      assert.deepEqual([report.frames, report.xruns], [frames, 0]);
      assertSameSamples(samplesOf(output), samplesOf(input));
    }
  }));

Deno.test("demo without arguments plays a fixture and prints a verdict for people", async () => {
  const { code, stdout, stderr } = await xsnd(["demo"]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(stdout, /^bit-exact +yes$/m);
  assert.match(stdout, /^xruns +0$/m);
  assert.match(stdout, /\nPASSED\n$/);
  for (const line of stdout.split("\n")) assert(line.length <= 110, line);
});

Deno.test("demo leaves nothing behind, interrupted or not", () =>
  withDirectory(async (directory) => {
    const input = makeWav(`${directory}/in.wav`, {
      format: "s16_le",
      channels: 2,
      rate: 48000,
      frames: 480_000,
    });
    const runtime = `${directory}/run`;
    Deno.mkdirSync(runtime);
    const left = () => [...Deno.readDirSync(runtime)].map(({ name }) => name);
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      await using process = new Process(launcher, ["demo", "--input", input], {
        env: { XDG_RUNTIME_DIR: runtime, TMPDIR: runtime },
      });
      // The dummy device's file grows while the demo plays.
      const playing = () => {
        const played = left().map((name) => `${runtime}/${name}/played.wav`);
        return played.some((path) => {
          try {
            return Deno.statSync(path).size > 100_000;
          } catch (error) {
            if (
              error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory
            ) return false;
            throw error;
          }
        });
      };
      await until("it plays", () => {
        assert(!process.ended, process.stderr);
        return playing();
      });
      const { code, stderr } = await process.end(signal);
      assert.deepEqual({ code, stderr }, { code: 130, stderr: "xsnd: interrupted\n" });
      assert.deepEqual(left(), [], signal);
    }
  }));

Deno.test("demo inside of a sandbox has domain 0 as its own guest, and uses the daemon that runs there", () =>
  inBox(async (box) => {
    const input = makeWav(box.path("in.wav"), { format: "s16_le", channels: 2, rate: 48000, frames: 24_000 });
    for (const serve of [false, true]) {
      if (serve) await box.serve();
      const before = await box.xenstore("ls", "-f", "/local");
      assert.match(await box.ok("demo", "--input", input, "--output", box.path("out.wav")), /PASSED\n$/);
      assertSameSamples(samplesOf(box.path("out.wav")), samplesOf(input));
      assert.equal(await box.xenstore("ls", "-f", "/local"), before);
    }
  }));

Deno.test("demo says what is wrong with its files, and leaves no output", () =>
  withDirectory(async (directory) => {
    const output = `${directory}/out.wav`;
    const input = (path: string) => xsnd(["demo", "--input", path, "--output", output]);
    assertFails(await input(`${directory}/none.wav`), 1, /cannot open .*none\.wav: no such file/);
    assertFails(await input(directory), 1, /it is a directory/);
    Deno.writeTextFileSync(
      `${directory}/text.wav`,
      "This is no sound at all, but long enough to have a header.",
    );
    assertFails(await input(`${directory}/text.wav`), 1, /text\.wav.*RIFF|text\.wav.*WAV/);
    const whole = Deno.readFileSync(
      makeWav(`${directory}/in.wav`, { format: "s16_le", channels: 2, rate: 48000, frames: 20_000 }),
    );
    Deno.writeFileSync(`${directory}/cut.wav`, whole.subarray(0, 30));
    assertFails(await input(`${directory}/cut.wav`), 1, /cut\.wav: it ends before its samples/);
    assert.throws(() => Deno.statSync(output), Deno.errors.NotFound);
    const nowhere = await xsnd([
      "demo",
      "--input",
      `${directory}/in.wav`,
      "--output",
      `${directory}/no/out.wav`,
    ]);
    assertFails(nowhere, 1, /cannot (write|create) .*no\/out\.wav/);
  }));

Deno.test("demo --sweep tries ever smaller periods, and names the smallest that plays clean", () =>
  withDirectory(async (directory) => {
    const input = makeWav(`${directory}/in.wav`, {
      format: "s16_le",
      channels: 2,
      rate: 48000,
      frames: 24_000,
    });
    const people = await xsnd(["demo", "--sweep", "--input", input], { NO_COLOR: "1" });
    assert.equal(people.code, 0, people.stderr);
    const lines = people.stdout.trimEnd().split("\n");
    const smallest = /^the smallest period that plays clean, of 4 in the buffer: (\d+) frames, ([\d.]+) ms$/
      .exec(
        lines.pop()!,
      )!;
    assert.equal(Number(smallest[2]), Math.round(Number(smallest[1]) / 4.8) / 10);
    assert.match(lines[0]!, /^PERIOD +MS +TRIES +XRUNS +DEVICE XRUNS +WRITE P99$/);
    const clean = lines.slice(1).map((line) => line.trim().split(/ +/).map(Number))
      .filter(([, , , xruns, deviceXruns]) => xruns === 0 && deviceXruns === 0);
    assert.equal(clean.at(-1)![0], Number(smallest[1]));

    const { stdout } = await xsnd(["demo", "--sweep", "--input", input, "--json"]);
    const steps = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    steps.forEach(({ isClean, tries, report, deviceXruns }, i) => {
      assert.equal(report.periodFrames, 4096 >> i);
      assert.equal(report.bufferFrames, 4 * report.periodFrames);
      assert.equal(isClean, report.xruns === 0 && deviceXruns === 0);
      assert(isClean || i === steps.length - 1 && tries === 2, "it goes on after a period that is not clean");
    });
  }));

Deno.test("demo plays to a device of the host, and compares no samples", async () => {
  const { code, stdout } = await xsnd(["demo", "--device", "null", "--json"]);
  const report = JSON.parse(stdout);
  // The null PCM takes all sound at once.
  assert.deepEqual([code, report.passed, "bitExact" in report], [1, false, false]);
  assert(report.seconds < report.frames / report.rate / 2, `${report.seconds} s`);
  const refused = await xsnd(["demo", "--device", "nosuch"]);
  assert.match(
    refused.stderr,
    /^xsnd: warning: .* cannot open PCM "nosuch" .*\nxsnd: the backend refuses the parameters: ENODEV\n$/,
  );
  assert.equal(refused.code, 1);
  assertFails(
    await xsnd(["demo", "--device", "null", "--output", "x"]),
    2,
    /'--device <pcm>' cannot be used with option '--output <file>'/,
  );
});
