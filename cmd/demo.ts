// SPDX-License-Identifier: MIT
/** `xsnd demo`: hear that it works, or be told what does not. */
import { Command, Option } from "commander";
import { fileURLToPath } from "node:url";
import { styleText } from "node:util";
import { type DemoReport, runDemo } from "../lib/demo/run_demo.ts";
import { Exit } from "../lib/base/error.ts";
import { startLogging } from "../lib/log/mod.ts";
import type { EventIdBehaviour } from "../lib/sndif/mod.ts";
import { interruptible } from "../lib/base/signals.ts";
import { withManual } from "./shared/manual.ts";
import { print, printJsonLine } from "./shared/output.ts";
import { clearProgress, positiveCount, showSession } from "./shared/session_options.ts";

const MELODY = fileURLToPath(new URL("../fixtures/melody.wav", import.meta.url));

interface Options {
  readonly input: string;
  readonly output?: string;
  readonly behaviour: EventIdBehaviour;
  readonly periodFrames?: number;
  readonly bufferFrames?: number;
  readonly json?: boolean;
}

export function demoCommand(): Command {
  const command = new Command("demo")
    .description(
      "Play a file the whole way from a guest to a card, and compare what the card played with it. Needs neither Xen " +
        "nor a sound card: without Xen it brings its own, and the card is one that is paced by the clock. On real Xen, " +
        "domain 0 is its own guest. Exit code 1 if a sample was lost or changed, or a position was not true.",
    )
    .addOption(
      new Option("--input <file>", "a file to play, as `xsnd play` takes it").default(
        MELODY,
        "a short melody",
      ),
    )
    .option("--output <file>", "keep what the card played, sample for sample")
    .addOption(
      new Option("--behaviour <kernel>", "act as this generation of snd_xen_front does with event ids")
        .choices(["linux-6.1", "linux-7.2"]).default("linux-6.1"),
    )
    .option("--buffer-frames <n>", "the buffer to ask for (half a second)", positiveCount)
    .option("--period-frames <n>", "the period to ask for (a quarter of the buffer)", positiveCount)
    .option("--json", "print the measurements as one JSON object")
    .action(async (options: Options) => {
      using _log = await startLogging({ level: "warning" });
      const report = await interruptible((signal) =>
        runDemo(options, showSession, signal).finally(clearProgress)
      );
      if (options.json) printJsonLine(report);
      else printVerdict(report, options);
      if (!report.passed) Deno.exit(Exit.failed);
    });
  return withManual(command, {
    examples: [
      ["xsnd demo", "a melody, and a verdict"],
      ["xsnd demo --input song.wav --output played.wav", "a file of one's own, and what became of it"],
      ["xsnd demo --json | jq .bitExact", "a smoke test"],
    ],
    exits: {
      done: "passed",
      failed: "a sample was lost or changed, or a position was not true",
      permission: "Xen's devices are not this user's",
      xenOrLibraryMissing: "a library is missing",
      interrupted: "interrupted by SIGINT",
    },
  });
}

function printVerdict(report: DemoReport, { input, output }: Options): void {
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
    ["bit-exact", yes(report.bitExact)],
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
  for (const [name, value] of rows) print(`${name.padEnd(10)} ${value}`);
  console.log(report.passed ? styleText("green", "PASSED") : styleText("red", "FAILED"));
}
