// SPDX-License-Identifier: MIT
/** `xsnd status`: the streams that the daemon serves. */
import { Command } from "commander";
import type { ControlClient } from "../lib/control/control_client.ts";
import { reportsMeant, streamsMeant } from "../lib/control/many_streams.ts";
import { noSuchStream, steadyPart, type StreamReport } from "../lib/control/protocol.ts";
import { type Column, STREAM_COLUMNS as COLUMN } from "../lib/observe/stream_columns.ts";
import { CONTROL_VARIABLES, withManual } from "./shared/manual.ts";
import { connectWithin, type DaemonWait, daemonWaitOption, hiddenTimeout } from "./shared/daemon_wait.ts";
import { type ListOptions, printList, wantsJson, withListOutput } from "./shared/list_output.ts";
import { STREAMS_HELP } from "./shared/options.ts";
import { printJsonLine } from "./shared/output.ts";
import { streamLines, streamTable } from "./shared/stream_table.ts";
import { isLive, printWatch, showWatch, WATCH_FLAG, WATCH_HELP } from "./shared/watch_option.ts";

const COLUMNS: readonly Column[] = [
  COLUMN.stream,
  COLUMN.type,
  COLUMN.state,
  COLUMN.rate,
  COLUMN.position,
  COLUMN.xruns,
  COLUMN.device,
  COLUMN.notes,
];

const WATCHED = {
  noun: "stream",
  version: 2,
  key: ({ stream }: StreamReport) => stream,
  steady: steadyPart,
} as const;

function watch(daemon: ControlClient, wanted: readonly string[], isJson: boolean): Promise<void> {
  const looks = streamsOf(daemon, wanted);
  if (!isLive(isJson)) return printWatch(WATCHED, looks);
  return showWatch(
    looks,
    (streams, width) => streamLines(streams.map((report) => ({ report })), COLUMNS, { width }),
  );
}

async function* streamsOf(
  daemon: ControlClient,
  wanted: readonly string[],
): AsyncGenerator<readonly StreamReport[]> {
  for await (const { streams } of daemon.watch({ command: "watch" })) yield reportsMeant(streams, wanted);
}

/** Throws {@link XsndError} if one of `wanted` means no stream. */
function requireEach(wanted: readonly string[], streams: readonly StreamReport[]): void {
  const wrong = wanted.find((each) => streamsMeant(streams, each).length === 0);
  if (wrong !== undefined) throw noSuchStream(streams, wrong);
}

export function statusCommand(): Command {
  const command = new Command("status")
    .description(
      "Show the streams that the daemon serves, with state, parameters and position. Counters such as XRUNS are totals since " +
        "the daemon began to serve the card, over all connections of its guest.",
    )
    .argument("[stream...]", STREAMS_HELP)
    .addOption(daemonWaitOption())
    .addOption(hiddenTimeout())
    .option(WATCH_FLAG, `${WATCH_HELP}; counters that change all the time are no change`);
  withListOutput(command).action(
    async (wanted: string[], options: ListOptions & DaemonWait & { watch?: boolean }) => {
      using daemon = await connectWithin(options);
      if (options.watch) return await watch(daemon, wanted, wantsJson(options));
      const whole = await daemon.call({ command: "status" });
      const status = { ...whole, streams: reportsMeant(whole.streams, wanted) };
      requireEach(wanted, whole.streams);
      const list = {
        ...streamTable(status.streams.map((report) => ({ report })), COLUMNS),
        names: status.streams.map(({ stream }) => stream),
        nothing: "no streams; `xsnd provision DOMAIN` makes a card",
        document: status,
      };
      await printList(list, options, printJsonLine);
    },
  );
  return withManual(command, {
    examples: [
      ["xsnd status", "show a table of the streams"],
      ["xsnd status domU", "show those of one guest"],
      ["xsnd status --watch | jq -c '[.event, .stream.stream, .stream.state]'", "follow the states"],
      ["xsnd status --json | jq '.streams[].xruns'", "read counters in a script"],
    ],
    exits: {
      failed: "the daemon serves no such stream",
      noDaemon: "no daemon answers, or the daemon has ended",
      permission: "this user may not use the control socket",
      interrupted: "--watch was ended by SIGINT or SIGTERM",
    },
    environment: CONTROL_VARIABLES,
    seeAlso: ["xsnd-top(1)", "xsnd-wait(1)", "xsnd-serve(1)"],
  });
}
