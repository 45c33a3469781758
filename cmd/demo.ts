// SPDX-License-Identifier: MIT
/** `xsnd demo`: plays a file from a guest to a device, and checks every sample and position. */
import { Command, Option } from "commander";
import { fileURLToPath } from "node:url";
import { styleText } from "node:util";
import { type DemoReport, runDemo } from "../lib/demo/run_demo.ts";
import { silenceAlsa } from "../ffi/alsa/alsa_error.ts";
import { Exit, XsndError } from "../lib/base/error.ts";
import { PERIODS, sweep } from "../lib/demo/sweep.ts";
import type { SessionReport } from "../lib/guest/session.ts";
import { startLogging } from "../lib/log/mod.ts";
import { interruptible } from "../lib/base/signals.ts";
import { withManual, XEN_VARIABLES } from "./shared/manual.ts";
import { print, printable, printJsonLine } from "./shared/output.ts";
import { addFrontendOptions, type FrontendOptions } from "./shared/session_options.ts";
import { clearProgress, showSession } from "./shared/session_output.ts";

const MELODY = fileURLToPath(new URL("../fixtures/melody.wav", import.meta.url));

interface Options extends FrontendOptions {
  readonly input: string;
  readonly output?: string;
  readonly device?: string;
  readonly sweep?: boolean;
}

export function demoCommand(): Command {
  const command = new Command("demo")
    .description(
      "Play a file through the whole path from a guest to a device, and compare the device's samples with the file. The demo " +
        "needs neither Xen nor a sound device: without Xen it runs in an embedded Xen, and the device is a dummy PCM that " +
        "the clock drives. On real Xen, domain 0 is its own guest.",
    )
    .addOption(
      new Option("--input <file>", "audio file to play, as for `xsnd play`").default(
        MELODY,
        "a short melody",
      ),
    )
    .option("--output <file>", "WAV file to write, with every sample that the dummy device played")
    .addOption(
      new Option("--device <pcm>", "play to this PCM of the host, whose samples nobody can compare")
        .conflicts("output"),
    )
    .addOption(
      new Option("--sweep", "play the file at ever smaller periods, and find the smallest that plays clean")
        .conflicts(["output", "bufferFrames", "periodFrames"]),
    );
  addFrontendOptions(command).action(async (options: Options) => {
    using _log = await startLogging({ level: options.sweep ? "error" : "warning" });
    if (options.device !== undefined) silenceAlsa();
    if (options.sweep) return await runSweep(options);
    const report = await interruptible((signal) =>
      runDemo(options, showSession, signal).finally(clearProgress)
    );
    if (options.json) printJsonLine(report);
    else printVerdict(report, options);
    if (!report.passed) Deno.exit(Exit.failed);
  });
  return withManual(command, {
    examples: [
      ["xsnd demo", "play a short melody, and print a verdict"],
      ["xsnd demo --input song.wav --output played.wav", "play another file, and keep the result"],
      ["xsnd demo --json | jq .bitExact", "smoke test in a script"],
      ["xsnd demo --device hw:0,0 --sweep", "find the smallest period that the first device plays clean"],
    ],
    exits: {
      done: "passed",
      failed:
        "a sample was lost or changed, or a reported position was wrong; with --sweep: no period played clean",
      permission: "this user may not use Xen's devices",
      xenOrLibraryMissing: "a library is missing",
      interrupted: "interrupted by SIGINT or SIGTERM",
    },
    environment: [...XEN_VARIABLES, "NO_COLOR"],
    seeAlso: ["xsnd-play(1)", "xsnd-sandbox(1)", "xsnd-doctor(1)"],
  });
}

/** Prints a line for each period as it was tried. */
async function runSweep({ json, ...options }: Options): Promise<void> {
  const columns = ["PERIOD", "MS", "TRIES", "XRUNS", "DEVICE XRUNS", "WRITE P99"];
  const widths = columns.map((name) => Math.max(name.length, 6));
  const row = (cells: readonly (string | number)[]) =>
    print(cells.map((cell, i) => String(cell).padStart(widths[i]!)).join("  "));
  if (!json) row(columns);
  const ms = ({ periodFrames, rate }: SessionReport) => (periodFrames * 1000 / rate).toFixed(1);
  const steps = await interruptible((signal) =>
    sweep(options, (step) => {
      const { report, tries, deviceXruns } = step;
      if (json) return printJsonLine(step);
      const micros = `${Math.round(report.writeRttMicros.p99)} µs`;
      row([report.periodFrames, ms(report), tries, report.xruns, deviceXruns, micros]);
    }, signal)
  );
  const smallest = steps.findLast(({ isClean }) => isClean)?.report;
  if (smallest === undefined) {
    throw new XsndError(
      "no period plays clean: the largest that was tried has xruns, too; `xsnd doctor` looks at the host",
    );
  }
  if (json) return;
  print(
    `the smallest period that plays clean, of ${PERIODS} in the buffer: ${smallest.periodFrames} frames, ${
      ms(smallest)
    } ms`,
  );
}

function printVerdict(report: DemoReport, { input, output, device }: Options): void {
  const { writeRttMicros: write, pingPongMicros: ping } = report;
  const yes = (good: boolean) => good ? styleText("green", "yes") : styleText("red", "no");
  const rows: [string, string][] = [
    ["xen", report.xen === "native" ? "the real one, domain 0 as its own guest" : "embedded"],
    [
      "played",
      `${
        input === MELODY ? "a short melody" : input
      }: ${report.rate} Hz, ${report.channels} channels, ${report.format}`,
    ],
    ["length", `${report.frames} frames, played in ${report.seconds.toFixed(3)} s`],
    report.bitExact === undefined ? ["device", device!] : ["bit-exact", yes(report.bitExact)],
    ["xruns", String(report.xruns)],
    [
      "positions",
      `at most ${report.maxPositionErrorFrames} frames off, of a period of ${report.periodFrames}`,
    ],
    ["wake-ups", `${report.periods} periods, ${report.events} events`],
    ["write", `p50 ${write.p50} µs, p99 ${write.p99} µs, max ${write.max} µs a round trip`],
    [
      "baseline",
      `p50 ${ping?.p50} µs, p99 ${ping?.p99} µs, max ${ping?.max} µs from thread to thread`,
    ],
  ];
  if (output !== undefined) rows.push(["output", output]);
  for (const [name, value] of rows) {
    console.log(`${name.padEnd(10)} ${name === "bit-exact" ? value : printable(value)}`);
  }
  console.log(report.passed ? styleText("green", "PASSED") : styleText("red", "FAILED"));
}
