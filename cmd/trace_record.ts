// SPDX-License-Identifier: MIT
/** `xsnd trace record` and `xsnd trace last`: write the packets of a stream that the daemon serves to a file. */
import { Command, Option } from "commander";
import { outputName } from "../lib/base/standard_file.ts";
import { interruptible, unlessAborted } from "../lib/base/signals.ts";
import { ControlClient } from "../lib/control/control_client.ts";
import type { RecorderOptions } from "../lib/control/trace_recorder.ts";
import type { TraceHead } from "../lib/trace/trace_format.ts";
import { CONTROL_VARIABLES, withManual } from "./shared/manual.ts";
import { duration, streamArgument, timeoutOption } from "./shared/options.ts";
import { printEnd, printJsonEnd } from "./shared/output.ts";
import { describeSummary, verdictLines } from "./shared/trace_output.ts";
import { noting } from "./shared/waiting_note.ts";

interface Options {
  readonly output?: string;
  readonly seconds?: number;
  readonly until?: "closed";
  readonly timeout: number;
  readonly json?: boolean;
}

/** What the flight recorder is asked for. It has no more of most streams that play. */
const LAST_SECONDS = 120;

function outputOption(): Option {
  return new Option(
    "-o, --output <file>",
    "file to write; - is standard output; default: a file in this directory, named after stream and time",
  );
}

const waitOption = () => timeoutOption("how long to wait until the daemon serves the stream", 5);
const jsonOption = () => new Option("--json", "print summary and verdict as a JSON object");

export function traceRecordCommand(): Command {
  const command = new Command("record")
    .summary("record the packets of STREAM's rings, until SIGINT")
    .description(
      "Record a stream of the running daemon from now on, open or not, across reconnections of its guest. The recording " +
        "ends at SIGINT or SIGTERM, or when the stream's card is removed. The output says why the sound stuttered, if it did.",
    )
    .addArgument(streamArgument())
    .addOption(outputOption())
    .option("--seconds <n>", "end after this time", duration)
    .addOption(
      new Option("--until <event>", "end when the guest closes the stream or disconnects").choices([
        "closed",
      ]),
    )
    .addOption(waitOption())
    .addOption(jsonOption())
    .action(async (stream: string, options: Options) => {
      const { seconds, until } = options;
      await recordTo({ stream, untilClosed: until === "closed", seconds }, options);
    });
  return withManual(command, {
    examples: [
      ["xsnd trace record domU/0/0/0 -o stutter.trace", "record until Ctrl-C, which is a success"],
      [
        "xsnd trace record domU -o open.trace --until closed",
        "record one use of the stream, from OPEN to CLOSE",
      ],
    ],
    exits: {
      failed: "the stream does not exist, or FILE cannot be written",
      ...EXITS,
      interrupted: "interrupted before the recording began",
    },
    environment: CONTROL_VARIABLES,
    seeAlso: ["xsnd-trace-last(1)", "xsnd-trace-show(1)", "xsnd-trace-plot(1)"],
  });
}

export function traceLastCommand(): Command {
  const command = new Command("last")
    .summary("write what the daemon remembers of STREAM")
    .description(
      "Write what has passed on the rings of a stream up to now. The daemon keeps the newest records of each stream: some " +
        "30 s of sound with usual periods, some seconds with the shortest. The output says why the sound stuttered.",
    )
    .addArgument(streamArgument())
    .addOption(outputOption())
    .addOption(
      new Option("--seconds <n>", "at most so much, up to the newest record").argParser(duration)
        .default(LAST_SECONDS),
    )
    .addOption(waitOption())
    .addOption(jsonOption())
    .action(async (stream: string, options: Options) => {
      await recordTo({ stream, untilClosed: false, lastSeconds: options.seconds }, options);
    });
  return withManual(command, {
    examples: [
      ["xsnd trace last domU/0/0/0", "after a stutter: say why, and write a trace of it"],
      ["xsnd trace last domU -o - | xsnd trace show - --summary", "say why, and keep no file"],
    ],
    exits: {
      failed: "the stream does not exist or was not used since the daemon began, or FILE cannot be written",
      ...EXITS,
      interrupted: "interrupted before there was an answer",
    },
    environment: CONTROL_VARIABLES,
    seeAlso: ["xsnd-trace-record(1)", "xsnd-trace-show(1)", "xsnd-trace-plot(1)", "xsnd-serve(1)"],
  });
}

const EXITS = {
  noDaemon: "no daemon answers before the time-out",
  permission: "this user may not use the control socket, or may not write FILE",
} as const;

/** Records what is `wanted` to the file that the options name, and says what it is. */
async function recordTo(
  wanted: Omit<RecorderOptions, "waitMs">,
  { output, timeout, json }: Options,
): Promise<void> {
  const [{ record }, { createFile, createNew, traceName }] = await Promise.all([
    import("../lib/control/trace_recorder.ts"),
    import("../lib/trace/trace_file.ts"),
  ]);
  const waitMs = timeout * 1000;
  let path = output;
  const { summary, verdict } = await interruptible(async (signal) => {
    using daemon = await noting(
      "for the daemon",
      waitMs,
      unlessAborted(ControlClient.connect(waitMs), signal),
    );
    using files = new DisposableStack();
    const open = (head: TraceHead) => {
      if (output !== undefined) return files.use(createFile(output));
      const created = createNew(traceName(head));
      path = created.path;
      return files.use(created.append);
    };
    return await record(daemon, open, { ...wanted, waitMs }, signal);
  });
  if (json) return printJsonEnd(path!, { file: path, ...summary, verdict });
  printEnd(path!, `recorded to ${outputName(path!)}: ${describeSummary(summary)}`);
  for (const line of verdictLines(verdict)) printEnd(path!, line);
}
