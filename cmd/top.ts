// SPDX-License-Identifier: MIT
/** `xsnd top`: the streams that the daemon serves, refreshed at an interval. */
import { Command } from "commander";
import type { StatusReport } from "../lib/control/protocol.ts";
import { Screen } from "../lib/observe/screen.ts";
import { TOP_COLUMNS, type TopView, topView } from "../lib/observe/top_view.ts";
import { interruptible, pause, unlessAborted } from "../lib/base/signals.ts";
import { CONTROL_VARIABLES, withManual } from "./shared/manual.ts";
import { connectWithin, type DaemonWait, daemonWaitOption, hiddenTimeout } from "./shared/daemon_wait.ts";
import { interval, positiveCount } from "./shared/options.ts";
import { printJsonLine, printLine } from "./shared/output.ts";
import { streamLines } from "./shared/stream_table.ts";
import { TopScreen } from "./shared/top_screen.ts";

interface Options extends DaemonWait {
  readonly interval: number;
  readonly batch?: boolean;
  readonly iterations?: number;
  readonly json?: boolean;
}

export function topCommand(): Command {
  const command = new Command("top")
    .description(
      "Show the streams that the daemon serves, a line each, and refresh them until q or Ctrl-C. On a terminal, keys " +
        "select a stream, mute it, pause it and change its volume, and sort and filter the list: ? says which. Off a terminal the " +
        "command prints plain lines, as with --batch. FILL is the part of the guest's buffer that waits to be played or read, LAT " +
        "the same in ms. POSITION is the sound played or recorded since the guest opened the stream. WAIT% is how " +
        "late the guest hears of the device's interrupt, as a part of the guest's period, in 99 of 100 cases at most. CPU% is the " +
        "processor time that the stream has cost. With a star it is an estimate: the stream's part of the shared engine's time, by " +
        "its requests and events. The first view has averages since the daemon's start.",
    )
    .option("-i, --interval <seconds>", "time between two views", interval, 1)
    .option("-b, --batch", "print views one after the other, for logs")
    .option("-n, --iterations <n>", "end after this number of views", positiveCount)
    .addOption(daemonWaitOption())
    .addOption(hiddenTimeout())
    .option("--json", "print each view as a line of JSON, as `status --json`")
    .action((options: Options) => interruptible((signal) => top(options, signal)));
  return withManual(command, {
    examples: [
      ["xsnd top", "watch the streams"],
      ["xsnd top --batch --iterations 60 --interval 10 >>top.log", "log ten minutes"],
    ],
    exits: {
      noDaemon: "no daemon answers, or the daemon has ended",
      permission: "this user may not use the control socket",
      interrupted: "ended by SIGINT or SIGTERM",
    },
    environment: [...CONTROL_VARIABLES, "NO_COLOR"],
    seeAlso: ["xsnd-status(1)"],
  });
}

async function top(options: Options, signal: AbortSignal): Promise<void> {
  const isBatch = options.batch === true || options.json === true || !Deno.stdout.isTerminal();
  using daemon = await unlessAborted(connectWithin(options), signal);
  using screen = isBatch ? undefined : new Screen();
  const shown = screen && new TopScreen(screen);
  let before: StatusReport | undefined;
  for (let left = options.iterations ?? Infinity; left > 0; left--) {
    const status = await unlessAborted(daemon.call({ command: "status" }), signal);
    const view = topView(status, before, new Date());
    const more = left > 1;
    if (options.json) printJsonLine(status);
    else if (shown === undefined) printView(view, more);
    else if (!await shown.show(view, options.interval * 1000, signal)) return;
    if (shown === undefined && more) await pause(options.interval * 1000, signal);
    before = status;
  }
}

function printView({ header, streams }: TopView, more: boolean): void {
  for (const line of [...header, ...streamLines(streams, TOP_COLUMNS, { gap: 1 })]) printLine(line);
  if (more) printLine();
}
