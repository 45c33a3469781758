// SPDX-License-Identifier: MIT
/** `xsnd logs`: shows the daemon's log, of all or of some streams. */
import { Command } from "commander";
import { matcherOf } from "../lib/base/pattern.ts";
import { interruptible, untilAborted } from "../lib/base/signals.ts";
import { reportsMeant } from "../lib/control/many_streams.ts";
import { layOut } from "../lib/log/format.ts";
import type { LogLine } from "../lib/log/log_tail.ts";
import { connectWithin, type DaemonWait, daemonWaitOption } from "./shared/daemon_wait.ts";
import { CONTROL_VARIABLES, withManual } from "./shared/manual.ts";
import { STREAMS_HELP } from "./shared/options.ts";
import { count, printJsonLine, printLine, warn } from "./shared/output.ts";

interface Options extends DaemonWait {
  readonly follow?: boolean;
  readonly json?: boolean;
}

export function logsCommand(): Command {
  const command = new Command("logs")
    .description(
      "Show the daemon's log: its newest lines, 1000 at most. With streams, show the lines about them, and " +
        "about their cards and guests. The journal, or whatever reads the daemon's stderr, has the whole log.",
    )
    .argument("[stream...]", STREAMS_HELP)
    .option("-f, --follow", "go on with the lines that come, until Ctrl-C")
    .addOption(daemonWaitOption())
    .option("--json", "print a JSON object a line: time, level, subject and message")
    .action(logs);
  return withManual(command, {
    examples: [
      ["xsnd logs", "see why a stream was silent"],
      ["xsnd logs domU/0/0/0 -f", "follow one stream"],
      [`xsnd logs --json | jq -r 'select(.level == "error").message'`, "the errors alone"],
    ],
    exits: {
      noDaemon: "no daemon answers, or the daemon has ended",
      permission: "this user may not use the control socket",
      interrupted: "ended by SIGINT or SIGTERM",
    },
    environment: CONTROL_VARIABLES,
    seeAlso: ["xsnd-events(1)", "xsnd-status(1)", "xsnd-serve(1)"],
  });
}

function logs(wanted: string[], options: Options): Promise<void> {
  const { follow = false } = options;
  return interruptible(async (signal) => {
    using daemon = await connectWithin(options);
    // A line has a domain's name, and the operator may know its number.
    const { streams } = wanted.length > 0 ? await daemon.call({ command: "status" }) : { streams: [] };
    const names = [...wanted, ...reportsMeant(streams, wanted).map(({ stream }) => stream)];
    const isMeant = wanted.length === 0 ? () => true : meaning(names);
    const request = { command: "logs", follow } as const;
    for await (const { lines, more, lost } of untilAborted(daemon.watch(request), signal)) {
      if (lost !== undefined) warn(`${count(lost, "line")} of the log lost: this terminal was too slow`);
      for (const line of lines) {
        if (!isMeant(line)) continue;
        if (options.json) printJsonLine(line);
        else printText(line);
      }
      if (!follow && !more) return;
    }
  });
}

/** Whether a line is about what one of `names` means, or about the card or the guest of that. `*` and `?` match as in a shell. */
function meaning(names: readonly string[]): (line: LogLine) => boolean {
  const wanted = names.map((name) => name.split("/").map(matcherOf));
  return ({ subject }) => {
    const parts = subject.split("/");
    return wanted.some((matchers) =>
      matchers.slice(0, parts.length).every((matcher, i) => matcher.test(parts[i]!))
    );
  };
}

function printText({ time, level, subject, message }: LogLine): void {
  for (const text of layOut(`${time} ${level}`, subject, message)) printLine(text);
}
