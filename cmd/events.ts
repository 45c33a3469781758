// SPDX-License-Identifier: MIT
/** `xsnd events`: tells what happens to the streams that the daemon serves, a line each. */
import { Command } from "commander";
import { interruptible, untilAborted } from "../lib/base/signals.ts";
import type { ControlClient } from "../lib/control/control_client.ts";
import { reportsMeant } from "../lib/control/many_streams.ts";
import type { StreamReport } from "../lib/control/protocol.ts";
import { eventsBetween } from "../lib/observe/stream_events.ts";
import { connectWithin, type DaemonWait, daemonWaitOption } from "./shared/daemon_wait.ts";
import { CONTROL_VARIABLES, withManual } from "./shared/manual.ts";
import { STREAMS_HELP } from "./shared/options.ts";
import { printJsonLine, printLine } from "./shared/output.ts";

interface Options extends DaemonWait {
  readonly json?: boolean;
}

export function eventsCommand(): Command {
  const command = new Command("events")
    .description(
      "Tell what happens to the streams that the daemon serves, a line each, until Ctrl-C: guests connect, open, play and " +
        "leave; operators hold and mute; devices go and come back; xruns and whose doing they were. The first lines say what " +
        "there is. `xsnd status --watch --json` tells the same to programs, in full.",
    )
    .argument("[stream...]", STREAMS_HELP)
    .addOption(daemonWaitOption())
    .option("--json", "print a JSON object a line: time, stream and text")
    .action(events);
  return withManual(command, {
    examples: [
      ["xsnd events", "follow all streams"],
      ["xsnd events domU >>domU.log", "keep a log of one guest's"],
    ],
    exits: {
      noDaemon: "no daemon answers, or the daemon has ended",
      permission: "this user may not use the control socket",
      interrupted: "ended by SIGINT or SIGTERM",
    },
    environment: CONTROL_VARIABLES,
    seeAlso: ["xsnd-status(1)", "xsnd-top(1)", "xsnd-trace(1)"],
  });
}

function events(wanted: string[], options: Options): Promise<void> {
  return interruptible(async (signal) => {
    using daemon = await connectWithin(options);
    let before: readonly StreamReport[] | undefined;
    for await (const streams of untilAborted(looks(daemon, wanted), signal)) {
      const time = new Date().toISOString();
      for (const { stream, text } of eventsBetween(before, streams)) {
        if (options.json) printJsonLine({ time, stream, text });
        else printLine(`${time} ${stream}: ${text}`);
      }
      before = streams;
    }
  });
}

async function* looks(
  daemon: ControlClient,
  wanted: readonly string[],
): AsyncGenerator<readonly StreamReport[]> {
  for await (const { streams } of daemon.watch({ command: "watch" })) yield reportsMeant(streams, wanted);
}
