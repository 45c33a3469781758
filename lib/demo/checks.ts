// SPDX-License-Identifier: MIT
/** The checks of the self-test. Each gives the guest a card of its own, plays or records, and compares the samples. */
import { count } from "../base/text.ts";
import type { SessionReport } from "../guest/session.ts";
import { isInTime } from "./run_demo.ts";
import { difference } from "./same_samples.ts";
import {
  CheckFailure,
  playing,
  recording,
  type Shape,
  sleep,
  type TestBench,
  type TestStream,
} from "./test_bench.ts";

const CD: Shape = { format: "s16_le", rate: 44_100, channels: 2 };
/** What every device of a host plays and records. */
const DEVICE_SHAPE: Shape = { format: "s16_le", rate: 48_000, channels: 2 };
const DEVICE_SECONDS = 2;

/** A check: its name, and what throws {@link CheckFailure} if something is wrong. */
export interface Check {
  readonly name: string;
  run(bench: TestBench): Promise<void>;
}

function must(isSo: boolean, otherwise: string): void {
  if (!isSo) throw new CheckFailure(otherwise);
}

/** `heard` has the samples of `expected`; see {@link difference}. */
function mustBeSame(expected: string, heard: string, what: string, options?: { begins: boolean }): void {
  const different = difference(expected, heard, options);
  must(different === undefined, `${what}: ${different}`);
}

/** Plays noise of `shape`, and compares what the device got. */
async function checkPlayback(bench: TestBench, shape: Shape, seconds: number): Promise<void> {
  const [input, output] = [bench.noise(shape, seconds), bench.file()];
  const stream: TestStream = { type: "playback", device: `dummy:${output}`, shape };
  const report = await bench.withStreams([stream], ([stream]) => bench.run(playing(stream!, input)));
  must(report.xruns === 0, count(report.xruns, "xrun"));
  mustBeSame(input, output, "what the device played");
}

/** What the guest is told of the device's place is right. */
async function checkPositions(bench: TestBench): Promise<void> {
  const input = bench.noise(CD, 1);
  const stream: TestStream = { type: "playback", device: "dummy:", shape: CD };
  const report = await bench.withStreams([stream], ([stream]) => bench.run(playing(stream!, input, true)));
  must(report.events > 0, "no position was told");
  must(isInTime(report), `a position was ${report.maxPositionErrorFrames} frames off`);
}

async function checkCapture(bench: TestBench, shape: Shape, seconds: number): Promise<void> {
  const [input, output] = [bench.noise(shape, seconds + 1), bench.file()];
  const stream: TestStream = { type: "capture", device: `dummy:${input}`, shape };
  const report = await bench.withStreams(
    [stream],
    ([stream]) => bench.run(recording(stream!, output, shape, seconds)),
  );
  must(report.xruns === 0, count(report.xruns, "xrun"));
  mustBeSame(input, output, "the recording", { begins: true });
}

async function checkBoth(bench: TestBench): Promise<void> {
  const [played, heard] = [bench.noise(CD, 1), bench.file()];
  const [spoken, recorded] = [bench.noise(CD, 2), bench.file()];
  const streams: TestStream[] = [
    { type: "playback", device: `dummy:${heard}`, shape: CD },
    { type: "capture", device: `dummy:${spoken}`, shape: CD },
  ];
  const reports = await bench.withStreams(
    streams,
    ([speakers, microphone]) =>
      bench.together([playing(speakers!, played), recording(microphone!, recorded, CD, 1)]),
  );
  const xruns = reports.reduce((sum, { xruns }) => sum + xruns, 0);
  must(xruns === 0, count(xruns, "xrun"));
  mustBeSame(played, heard, "what the device played");
  mustBeSame(spoken, recorded, "the recording", { begins: true });
}

async function checkPause(bench: TestBench): Promise<void> {
  const [input, output] = [bench.noise(CD, 2), bench.file()];
  const stream: TestStream = { type: "playback", device: `dummy:${output}`, shape: CD };
  const report = await bench.withStreams([stream], async ([stream]) => {
    const played = bench.run(playing(stream!, input));
    played.catch(() => {}); // awaited below, unless something else fails before
    await bench.wait(stream!, "running");
    const held = await bench.operate({ command: "trigger", trigger: "pause" }, stream!);
    await sleep(500);
    const later = await bench.status(stream!);
    await bench.operate({ command: "trigger", trigger: "resume" }, stream!);
    must(later.hold === "paused", `the stream is ${later.hold}, not paused`);
    must(later.positionFrames === held.positionFrames, "the position went on while the stream was paused");
    return await played;
  });
  must(report.xruns === 0, count(report.xruns, "xrun"));
  mustBeSame(input, output, "what the device played");
}

async function checkReopen(bench: TestBench): Promise<void> {
  const [input, output] = [bench.noise(CD, 0.3), bench.file()];
  const stream: TestStream = { type: "playback", device: `dummy:${output}`, shape: CD };
  await bench.withStreams([stream], async ([stream]) => {
    for (let time = 1; time <= 3; time++) {
      const { xruns } = await bench.run(playing(stream!, input));
      must(xruns === 0, `time ${time}: ${count(xruns, "xrun")}`);
      await bench.wait(stream!, "closed");
      mustBeSame(input, output, `what the device played, time ${time}`);
    }
  });
}

async function checkMute(bench: TestBench): Promise<void> {
  const [input, silence, output] = [bench.noise(CD, 0.5), bench.silence(CD, 0.5), bench.file()];
  const stream: TestStream = { type: "playback", device: `dummy:${output}`, shape: CD };
  await bench.withStreams([stream], async ([stream]) => {
    for (const [muted, expected] of [[true, silence], [false, input]] as const) {
      await bench.operate({ command: "volume", muted }, stream!);
      await bench.run(playing(stream!, input));
      await bench.wait(stream!, "closed");
      mustBeSame(expected, output, muted ? "muted" : "not muted any more");
    }
  });
}

/** Plays to a device of the host, whose samples nobody can compare: silence, as somebody may sit in front of it. */
async function checkDevicePlayback(bench: TestBench, device: string): Promise<void> {
  const input = bench.silence(DEVICE_SHAPE, DEVICE_SECONDS);
  const stream: TestStream = { type: "playback", device, shape: DEVICE_SHAPE };
  const report = await bench.withStreams([stream], ([stream]) => bench.run(playing(stream!, input)));
  mustBeInRealTime(report);
}

async function checkDeviceCapture(bench: TestBench, device: string): Promise<void> {
  const stream: TestStream = { type: "capture", device, shape: DEVICE_SHAPE };
  const report = await bench.withStreams(
    [stream],
    ([stream]) => bench.run(recording(stream!, bench.file(), DEVICE_SHAPE, DEVICE_SECONDS)),
  );
  mustBeInRealTime(report);
}

function mustBeInRealTime({ xruns, seconds }: SessionReport): void {
  must(xruns === 0, count(xruns, "xrun"));
  must(
    Math.abs(seconds - DEVICE_SECONDS) < DEVICE_SECONDS / 4,
    `${DEVICE_SECONDS} s of sound took ${seconds} s`,
  );
}

/** Sounds of all kinds. */
const SHAPES: readonly Shape[] = [
  { format: "u8", rate: 8000, channels: 1 },
  { format: "s16_le", rate: 48_000, channels: 2 },
  { format: "s24_le", rate: 96_000, channels: 2 },
  { format: "s32_le", rate: 48_000, channels: 8 },
  { format: "float_le", rate: 192_000, channels: 1 },
];
const SHORT = 0.3;

/** All checks, in their order. */
export const CHECKS: readonly Check[] = [
  { name: "playback", run: (bench) => checkPlayback(bench, CD, 1) },
  { name: "capture", run: (bench) => checkCapture(bench, CD, 1) },
  { name: "positions", run: checkPositions },
  { name: "both-at-once", run: checkBoth },
  ...SHAPES.flatMap((shape) => {
    const name = `${shape.format}-${shape.rate}-${shape.channels}ch`;
    return [
      { name: `playback-${name}`, run: (bench: TestBench) => checkPlayback(bench, shape, SHORT) },
      { name: `capture-${name}`, run: (bench: TestBench) => checkCapture(bench, shape, SHORT) },
    ];
  }),
  { name: "pause-resume", run: checkPause },
  { name: "reopen", run: checkReopen },
  { name: "mute", run: checkMute },
];

/** Checks of devices of the host: that sound passes them in real time, without an xrun. */
export function deviceChecks({ playback, capture }: { playback?: string; capture?: string }): Check[] {
  const checks: Check[] = [];
  if (playback !== undefined) {
    checks.push({ name: `playback-on-${playback}`, run: (bench) => checkDevicePlayback(bench, playback) });
  }
  if (capture !== undefined) {
    checks.push({ name: `capture-on-${capture}`, run: (bench) => checkDeviceCapture(bench, capture) });
  }
  return checks;
}
