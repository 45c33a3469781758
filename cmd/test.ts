// SPDX-License-Identifier: MIT
/** `xsnd test`: the self-test of a host, for a pipeline. */
import { Command, Option } from "commander";
import { styleText } from "node:util";
import { silenceAlsa } from "../ffi/alsa/alsa_error.ts";
import { Exit, XsndError } from "../lib/base/error.ts";
import { matcherOf } from "../lib/base/pattern.ts";
import { interruptible } from "../lib/base/signals.ts";
import { type Check, CHECKS, deviceChecks } from "../lib/demo/checks.ts";
import { DemoHost } from "../lib/demo/demo_host.ts";
import { selfTest, type Verdict } from "../lib/demo/self_test.ts";
import { startLogging } from "../lib/log/mod.ts";
import { withManual, XEN_VARIABLES } from "./shared/manual.ts";
import { count, print, printJsonLine } from "./shared/output.ts";
import { junit, tapLines } from "./shared/test_output.ts";

interface Options {
  readonly device?: string;
  readonly captureDevice?: string;
  readonly list?: boolean;
  readonly tap?: boolean;
  readonly junit?: string;
  readonly json?: boolean;
}

export function testCommand(): Command {
  const command = new Command("test")
    .description(
      "Test sound through the whole path from a guest to devices, and print a verdict for each check: playback, capture, both at " +
        "once, sample formats, an operator's pause and mute, and opening again, all compared sample by sample. The daemon that " +
        "runs is tested; without one, this process is the daemon. As for `xsnd demo`, neither Xen nor a sound device is needed, " +
        "and on real Xen domain 0 is its own guest. Cards of guests are not touched.",
    )
    .argument("[check...]", "names or patterns, as 'capture*'; by default all checks")
    .option("--device <pcm>", "also play silence on this PCM of the host: in real time, without an xrun")
    .option("--capture-device <pcm>", "also record from this PCM of the host")
    .option("--list", "print the names of the checks, and run none")
    .addOption(new Option("--tap", "print the verdicts in the Test Anything Protocol").conflicts("json"))
    .option("--junit <file>", "also write the verdicts to a JUnit XML file")
    .option("--json", "print the verdicts as JSON, a line each")
    .action(async (names: string[], options: Options) => {
      const { device: playback, captureDevice: capture } = options;
      const checks = chosen([...CHECKS, ...deviceChecks({ playback, capture })], names);
      if (options.list) return checks.forEach(({ name }) => print(name));
      using _log = await startLogging({ level: "warning" });
      // The log has what ALSA says.
      if (playback !== undefined || capture !== undefined) silenceAlsa();
      const verdicts = await interruptible((signal) =>
        DemoHost.run((host) => run(selfTest(host, checks, signal), checks.length, options))
      );
      if (options.junit !== undefined) writeReport(options.junit, junit(verdicts));
      if (verdicts.some(({ passed }) => !passed)) Deno.exit(Exit.failed);
    });
  return withManual(command, {
    examples: [
      ["xsnd test", "test this host, or an embedded Xen where there is no other"],
      ["xsnd test --junit xsnd.xml", "the same, with a report that a pipeline shows"],
      ["xsnd test --device hw:0,0 'playback*'", "test playback, and the first device"],
    ],
    exits: {
      done: "all checks passed",
      failed: "a check failed",
      permission: "this user may not use Xen's devices",
      xenOrLibraryMissing: "a library is missing",
      interrupted: "interrupted by SIGINT or SIGTERM",
    },
    details: [
      "--json prints an object for each check: name, passed, seconds, and for a check that failed the reason.",
      "A device of the host is tested at 48000 Hz, with 2 channels of s16_le: nobody can compare what it plays.",
    ],
    environment: [...XEN_VARIABLES, "NO_COLOR"],
    seeAlso: ["xsnd-demo(1)", "xsnd-doctor(1)", "xsnd-sandbox(1)"],
  });
}

/** The checks that `names` mean, in their own order; all, if there are no names. */
function chosen(checks: readonly Check[], names: readonly string[]): readonly Check[] {
  if (names.length === 0) return checks;
  const meant = names.map((name) => {
    const pattern = matcherOf(name);
    const found = checks.filter((check) => pattern.test(check.name));
    if (found.length > 0) return found;
    throw new XsndError(
      `there is no check ${JSON.stringify(name)}; there are ${checks.map(({ name }) => name).join(", ")}`,
      Exit.usage,
    );
  }).flat();
  return checks.filter((check) => meant.includes(check));
}

/** Prints each verdict as it comes. */
async function run(
  verdicts: AsyncIterable<Verdict>,
  number: number,
  { tap, json }: Options,
): Promise<readonly Verdict[]> {
  const all: Verdict[] = [];
  if (tap) ["TAP version 14", `1..${number}`].forEach((line) => print(line));
  for await (const verdict of verdicts) {
    all.push(verdict);
    if (json) printJsonLine(verdict);
    else if (tap) tapLines(all.length, verdict).forEach((line) => print(line));
    else console.log(line(verdict));
  }
  const failed = all.filter(({ passed }) => !passed).length;
  if (!json && !tap) {
    print(
      failed === 0 ? `${count(number, "check")} passed` : `${failed} of ${count(number, "check")} failed`,
    );
  }
  return all;
}

function line({ name, passed, seconds, reason }: Verdict): string {
  const word = passed ? styleText("green", "ok  ") : styleText("red", "FAIL");
  return `${word} ${name.padEnd(28)} ${seconds.toFixed(1).padStart(5)} s${
    reason === undefined ? "" : `  ${reason}`
  }`;
}

function writeReport(path: string, text: string): void {
  try {
    Deno.writeTextFileSync(path, text);
  } catch (error) {
    throw new XsndError(`cannot write ${path}: ${(error as Error).message}`, Exit.failed, { cause: error });
  }
}
