// SPDX-License-Identifier: MIT
/** `--wait` of the commands that show what the daemon does: without it they do not wait for a daemon that is not there. */
import { Option } from "commander";
import { ControlClient } from "../../lib/control/control_client.ts";
import { seconds } from "./options.ts";
import { noting } from "./waiting_note.ts";

const DEFAULT_SECONDS = 5;

export interface DaemonWait {
  /** Seconds; true: {@link DEFAULT_SECONDS}. */
  readonly wait?: number | true;
  readonly timeout?: number;
}

export function daemonWaitOption(): Option {
  return new Option("--wait [seconds]", `wait for the daemon, for ${DEFAULT_SECONDS} s if no time is given`)
    .argParser(seconds);
}

/** `--timeout`, as the option was called. */
export function hiddenTimeout(): Option {
  return new Option("--timeout <seconds>", "the same as --wait").argParser(seconds).hideHelp();
}

/** Connects to the daemon. Throws XsndError (exit 3) if there is none within the time that the options say. */
export async function connectWithin({ wait, timeout }: DaemonWait): Promise<ControlClient> {
  const given = wait === true ? DEFAULT_SECONDS : wait;
  const waitMs = (given ?? timeout ?? 0) * 1000;
  return await noting("for the daemon", waitMs, ControlClient.connect(waitMs));
}
