// SPDX-License-Identifier: MIT
/** `xsnd trigger`: an operator holds streams, or releases them, independently of their guests. */
import { Argument, Command } from "commander";
import { OPERATOR_TRIGGERS, type OperatorTrigger } from "../lib/stream/stream_state.ts";
import { askForEach } from "../lib/control/many_streams.ts";
import { CONTROL_VARIABLES, withManual } from "./shared/manual.ts";
import { DAEMON_EXITS, streamsArgument, timeoutOption } from "./shared/options.ts";
import { print, printJsonLine } from "./shared/output.ts";
import { WaitingNote } from "./shared/waiting_note.ts";

export function triggerCommand(): Command {
  const command = new Command("trigger")
    .description(
      "Hold streams that guests play or record, or release them. pause stops the device's pointer, and with it the position " +
        "that the guest reads; resume continues with the next sample. stop also drops the samples that are queued in the " +
        "device; start continues. The guest cannot see or undo the operator's action. The action stays in force until another " +
        "one undoes it, and can come before the guest opens the stream.",
    )
    .addArgument(new Argument("<action>").choices(OPERATOR_TRIGGERS))
    .addArgument(streamsArgument())
    .addOption(
      timeoutOption("how long to wait for the daemon, and for the stream's card", 10),
    )
    .option("--json", "print the status of each stream, a line each")
    .action(
      async (trigger: OperatorTrigger, streams: string[], options: { timeout: number; json?: boolean }) => {
        const waitMs = options.timeout * 1000;
        const request = (stream: string) => ({ command: "trigger", stream, trigger, waitMs }) as const;
        using note = new WaitingNote(`until ${streams.join(", ")} can be held or released`, waitMs);
        for await (const report of askForEach(streams, request, waitMs)) {
          note.clear();
          if (options.json) printJsonLine(report);
          else print(`${report.stream}: ${report.hold === "none" ? report.state : report.hold}`);
        }
      },
    );
  return withManual(command, {
    examples: [
      ["xsnd trigger pause domU/0/0/0", "stop the sound and the pointer"],
      ["xsnd trigger resume domU/0/0/0", "continue with the next sample"],
      ["xsnd trigger stop domU --timeout 0", "stop the streams of domU now, or fail"],
      [
        "xsnd wait domU/0/0/0 --for running && xsnd trigger pause domU/0/0/0",
        "pause the stream once it runs",
      ],
    ],
    exits: DAEMON_EXITS,
    environment: CONTROL_VARIABLES,
    seeAlso: ["xsnd-volume(1)", "xsnd-mute(1)", "xsnd-status(1)"],
  });
}
