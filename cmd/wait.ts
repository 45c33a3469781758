// SPDX-License-Identifier: MIT
/** `xsnd wait`: returns when a stream is as a script wants it. */
import { Command, Option } from "commander";
import { STREAM_GOALS, type StreamGoal } from "../lib/control/protocol.ts";
import { waitForStream } from "../lib/control/wait.ts";
import { awaitConnected } from "../lib/vsnd/provision/await_connected.ts";
import { withManual } from "./shared/manual.ts";
import { streamArgument, timeoutOption } from "./shared/options.ts";
import { print, printJson } from "./shared/output.ts";
import { withStore } from "./shared/store.ts";

interface Options {
  readonly for: "connected" | StreamGoal;
  /** Seconds. */
  readonly timeout: number;
  readonly json?: boolean;
}

export function waitCommand(): Command {
  const command = new Command("wait")
    .description(
      "Wait for a stream; domain, card and daemon need not be there yet. It is connected when both ends of its card " +
        "are, as XenStore says; open when its guest has opened it; running when the guest has started it, and no " +
        "operator holds it; closed when no guest has it open.",
    )
    .addArgument(streamArgument())
    .addOption(
      new Option("--for <state>", "what to wait for").choices(["connected", ...STREAM_GOALS])
        .makeOptionMandatory(),
    )
    .addOption(timeoutOption("how long to wait", 10))
    .option("--json", "print the stream's status, or its card's")
    .action(async (stream: string, { for: goal, timeout, json }: Options) => {
      if (goal === "connected") return await waitConnected(stream, timeout * 1000, json);
      const report = await waitForStream(stream, goal, timeout * 1000);
      if (json) printJson(report);
      else print(`${report.stream}: ${goal}`);
    });
  return withManual(command, {
    examples: [
      ["xsnd wait domU --for=connected --timeout=60", "until the guest's driver has found its card"],
      ["xsnd wait domU/0/0/1 --for=open", "until somebody listens to the microphone"],
    ],
    exits: {
      failed: "the card is there, and has no such stream",
      noDaemon: "no daemon answers (all but connected)",
      permission: "may not read XenStore, or talk to the daemon",
      xenOrLibraryMissing: "there is no XenStore",
      timedOut: "the stream is not so in time",
    },
  });
}

async function waitConnected(stream: string, timeoutMs: number, json: boolean | undefined): Promise<void> {
  const { domain, address } = await withStore((store) => awaitConnected(store, stream, timeoutMs));
  if (json) printJson({ domain: domain.name, domid: domain.domid, card: address.card, state: "connected" });
  else print(`${domain.name}/${address.card}: connected`);
}
