// SPDX-License-Identifier: MIT
/** `xsnd trace replay`: sends the requests of a trace to a stream's backend again. */
import { Command } from "commander";
import { XsndError } from "../lib/base/error.ts";
import { inputName } from "../lib/base/standard_file.ts";
import { interruptible } from "../lib/base/signals.ts";
import type { ReplayReport, ReplayStep } from "../lib/guest/replayer.ts";
import type { EventIdBehaviour } from "../lib/sndif/mod.ts";
import { withManual, XEN_VARIABLES } from "./shared/manual.ts";
import { positive, streamArgument } from "./shared/options.ts";
import { count, print, printJsonLine } from "./shared/output.ts";
import { behaviourOption, findStream } from "./shared/session_options.ts";

interface Options {
  readonly speed: number;
  readonly behaviour: EventIdBehaviour;
  readonly json?: boolean;
}

export function traceReplayCommand(): Command {
  const command = new Command("replay")
    .summary("send FILE's requests to STREAM's backend, and compare the responses")
    .description(
      "Act as the frontend of a trace, with the software frontend of `xsnd play`: send the same requests at the same times, " +
        "one after the other, with silence for samples. The command fails if a response has another status than in the trace.",
    )
    .argument("<file>", "a trace; - is standard input")
    .addArgument(streamArgument())
    .option("--speed <factor>", "divide the times between requests by this factor", positive, 1)
    .addOption(behaviourOption())
    .option("--json", "print the comparison as a JSON object")
    .action(replay);
  return withManual(command, {
    examples: [
      ["xsnd trace replay stutter.trace domU", "send the requests to the running daemon"],
      ["xsnd trace replay open.trace domU --speed 10", "send them ten times as fast"],
    ],
    exits: {
      failed:
        "a response differs, the stream does not exist, another frontend uses its card, or FILE is not a trace",
      timedOut: "the backend does not answer",
      interrupted: "interrupted by SIGINT or SIGTERM",
    },
    environment: XEN_VARIABLES,
    seeAlso: ["xsnd-trace-record(1)", "xsnd-play(1)"],
  });
}

async function replay(path: string, wanted: string, { speed, behaviour, json }: Options): Promise<void> {
  const [{ readTrace }, { stepsOf }, { runReplay }] = await Promise.all([
    import("../lib/trace/trace_file.ts"),
    import("../lib/guest/steps.ts"),
    import("../lib/guest/run_session.ts"),
  ]);
  const trace = readTrace(path);
  const steps = stepsOf(trace);
  const report = await interruptible(async (signal) => {
    const stream = await findStream(wanted, trace.head.type);
    return await runReplay({ kind: "replay", stream, behaviour, steps, speed }, signal);
  });
  if (json) printJsonLine(report);
  else await printComparison(report, steps);
  const { compared, differences } = report;
  if (differences.length === 0) return;
  throw new XsndError(`${differences.length} of ${compared} responses differ from ${inputName(path)}`);
}

async function printComparison(report: ReplayReport, steps: readonly ReplayStep[]): Promise<void> {
  const { lineOfPacket } = await import("../lib/trace/describe_record.ts");
  const { requests, compared, differences, seconds, roundTripMicros: rtt } = report;
  for (const { step, recorded, replayed } of differences) {
    const { time, packet } = steps[step]!;
    print(`${lineOfPacket(time, packet)}: recorded ${recorded}, now ${replayed}`);
  }
  print(
    `replayed ${count(requests, "request")} in ${
      seconds.toFixed(3)
    } s, ${differences.length} of ${compared} ` +
      `answered otherwise; round trip p50 ${rtt.p50} µs, p99 ${rtt.p99} µs, max ${rtt.max} µs`,
  );
}
