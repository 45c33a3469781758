// SPDX-License-Identifier: MIT
/** `xsnd trace record`: writes the packets of a stream that the daemon serves to a file. */
import { Command, Option } from "commander";
import { outputName } from "../lib/base/standard_file.ts";
import { interruptible, unlessAborted } from "../lib/base/signals.ts";
import { ControlClient } from "../lib/control/control_client.ts";
import { CONTROL_VARIABLES, withManual } from "./shared/manual.ts";
import { duration, streamArgument, timeoutOption } from "./shared/options.ts";
import { printEnd, printJsonEnd } from "./shared/output.ts";
import { describeSummary } from "./shared/trace_output.ts";
import { noting } from "./shared/waiting_note.ts";

interface Options {
  readonly output: string;
  readonly seconds?: number;
  readonly until?: "closed";
  readonly timeout: number;
  readonly json?: boolean;
}

export function traceRecordCommand(): Command {
  const command = new Command("record")
    .summary("record the packets of STREAM's rings, until SIGINT")
    .description(
      "Record a stream of the running daemon from now on, open or not, across reconnections of its guest. The recording " +
        "ends at SIGINT or SIGTERM, or when the stream's card is removed.",
    )
    .addArgument(streamArgument())
    .requiredOption("-o, --output <file>", "file to write, packet by packet; - is standard output")
    .option("--seconds <n>", "end after this time", duration)
    .addOption(
      new Option("--until <event>", "end when the guest closes the stream or disconnects").choices([
        "closed",
      ]),
    )
    .addOption(timeoutOption("how long to wait until the daemon serves the stream", 5))
    .option("--json", "print the summary as a JSON object")
    .action(async (stream: string, options: Options) => {
      const [{ record }, { createFile }] = await Promise.all([
        import("../lib/control/trace_recorder.ts"),
        import("../lib/trace/trace_file.ts"),
      ]);
      const waitMs = options.timeout * 1000;
      const summary = await interruptible(async (signal) => {
        using daemon = await noting(
          "for the daemon",
          waitMs,
          unlessAborted(ControlClient.connect(waitMs), signal),
        );
        using files = new DisposableStack();
        const open = () => files.use(createFile(options.output));
        const wanted = { stream, waitMs, untilClosed: options.until === "closed", seconds: options.seconds };
        return await record(daemon, open, wanted, signal);
      });
      const { output } = options;
      if (options.json) printJsonEnd(output, summary);
      else printEnd(output, `recorded to ${outputName(output)}: ${describeSummary(summary)}`);
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
      failed: "the stream does not exist or is being traced already, or FILE cannot be written",
      noDaemon: "no daemon answers before the time-out",
      permission: "this user may not use the control socket, or may not write FILE",
      interrupted: "interrupted before the recording began",
    },
    environment: CONTROL_VARIABLES,
    seeAlso: ["xsnd-trace-show(1)", "xsnd-trace-plot(1)"],
  });
}
