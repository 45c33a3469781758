// SPDX-License-Identifier: MIT
/** `xsnd trigger`: an operator starts, pauses, resumes and stops a stream on the card, whatever its guest does. */
import { Argument, Command } from "commander";
import { OPERATOR_TRIGGERS, type OperatorTrigger } from "../lib/stream/stream_state.ts";
import { ControlClient } from "../lib/control/control_client.ts";
import { withManual } from "./shared/manual.ts";
import { DAEMON_EXITS, streamArgument, timeoutOption } from "./shared/options.ts";
import { print, printJsonLine } from "./shared/output.ts";

export function triggerCommand(): Command {
  const command = new Command("trigger")
    .description(
      "Act on a stream that a guest is playing or recording. Pausing stops the card's pointer, and with it the " +
        "positions that the guest is told; resuming goes on with the very next sample. Stopping also empties the card " +
        "at once; starting goes on. The guest can neither see nor undo it.",
    )
    .addArgument(new Argument("<action>").choices(OPERATOR_TRIGGERS))
    .addArgument(streamArgument())
    .addOption(
      timeoutOption("how long to wait for the daemon, and for the guest to start the stream", 10),
    )
    .option("--json", "print the stream's status")
    .action(
      async (trigger: OperatorTrigger, stream: string, options: { timeout: number; json?: boolean }) => {
        const waitMs = options.timeout * 1000;
        using daemon = await ControlClient.connect(waitMs);
        const report = await daemon.call({ command: "trigger", stream, trigger, waitMs });
        if (options.json) printJsonLine(report);
        else print(`${report.stream}: ${report.hold === "none" ? report.state : report.hold}`);
      },
    );
  return withManual(command, {
    examples: [
      ["xsnd trigger pause domU/0/0/0", "its sound stops, and its pointer with it"],
      ["xsnd trigger resume domU/0/0/0", "and goes on with the very next sample"],
      ["xsnd trigger stop domU --timeout 0", "at once or not at all; domU has only one stream"],
    ],
    exits: DAEMON_EXITS,
  });
}
