// SPDX-License-Identifier: MIT
/** `xsnd wait`: returns when a stream has reached a state. */
import { Command, Option } from "commander";
import { STREAM_GOALS, type StreamGoal } from "../lib/control/protocol.ts";
import { waitForStream } from "../lib/control/wait.ts";
import { awaitConnected } from "../lib/vsnd/provision/await_connected.ts";
import { CONTROL_VARIABLES, STORE_VARIABLES, withManual } from "./shared/manual.ts";
import { streamArgument, timeoutOption } from "./shared/options.ts";
import { print, printJson } from "./shared/output.ts";
import { withStore } from "./shared/store.ts";
import { noting } from "./shared/waiting_note.ts";

interface Options {
  readonly for: "connected" | StreamGoal;
  /** Seconds. */
  readonly timeout: number;
  readonly json?: boolean;
}

export function waitCommand(): Command {
  const command = new Command("wait")
    .description(
      "Wait until a stream reaches a state. The domain, the card and the daemon need not exist yet. connected: XenStore has " +
        "the state Connected for both ends of the stream's card. open: the guest has opened the stream. running: the guest " +
        "has started the stream, and no operator holds it. closed: the guest does not have the stream open.",
    )
    .addArgument(streamArgument())
    .addOption(
      new Option("--for <state>", "state to wait for").choices(["connected", ...STREAM_GOALS])
        .makeOptionMandatory(),
    )
    .addOption(timeoutOption("how long to wait", 10))
    .option("--json", "print the status of the stream, or for connected of its card")
    .action(async (stream: string, { for: goal, timeout, json }: Options) => {
      if (goal === "connected") return await waitConnected(stream, timeout * 1000, json);
      const waitMs = timeout * 1000;
      const report = await noting(`until ${stream} is ${goal}`, waitMs, waitForStream(stream, goal, waitMs));
      if (json) printJson(report);
      else print(`${report.stream}: ${goal}`);
    });
  return withManual(command, {
    examples: [
      ["xsnd wait domU --for=connected --timeout=60", "wait until the guest's driver has connected"],
      ["xsnd wait domU/0/0/1 --for=open", "wait until the guest records"],
    ],
    exits: {
      failed: "the card has no such stream",
      noDaemon: "no daemon answers before the time-out (for open, running and closed)",
      permission: "this user may not read XenStore, or may not use the control socket",
      xenOrLibraryMissing: "Xen or a library is missing",
      timedOut: "the stream did not reach the state before the time-out",
    },
    environment: [...new Set([...STORE_VARIABLES, ...CONTROL_VARIABLES])],
    seeAlso: ["xsnd-status(1)", "xsnd-provision(1)"],
  });
}

async function waitConnected(stream: string, timeoutMs: number, json: boolean | undefined): Promise<void> {
  const connected = withStore((store) => awaitConnected(store, stream, timeoutMs));
  const { domain, address } = await noting(`until ${stream} is connected`, timeoutMs, connected);
  if (json) printJson({ domain: domain.name, domid: domain.domid, card: address.card, state: "connected" });
  else print(`${domain.name}/${address.card}: connected`);
}
