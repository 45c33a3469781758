// SPDX-License-Identifier: MIT
/** `xsnd trace`: records, shows, replays and draws the packets of a stream's rings. */
import { Command } from "commander";
import { CONTROL_VARIABLES, withManual } from "./shared/manual.ts";
import { traceLastCommand, traceRecordCommand } from "./trace_record.ts";
import { tracePlotCommand } from "./trace_plot.ts";
import { traceReplayCommand } from "./trace_replay.ts";
import { traceShowCommand } from "./trace_show.ts";

export function traceCommand(): Command {
  const command = new Command("trace")
    .description(
      "Record the requests, responses and events of a running stream, with the positions of its device, and examine the " +
        "record afterwards. A trace contains no sound.",
    )
    .addCommand(traceRecordCommand())
    .addCommand(traceLastCommand())
    .addCommand(traceShowCommand())
    .addCommand(traceReplayCommand())
    .addCommand(tracePlotCommand());
  return withManual(command, {
    examples: [
      ["xsnd trace last domU/0/0/0", "after a stutter: say why, and write a trace of it"],
      ["xsnd trace record domU/0/0/0 -o stutter.trace", "record while the sound stutters"],
      ["xsnd trace plot stutter.trace -o stutter.html", "draw the trace for a browser"],
    ],
    environment: CONTROL_VARIABLES,
    seeAlso: ["xsnd-status(1)", "xsnd-top(1)"],
  });
}
