// SPDX-License-Identifier: MIT
/** `xsnd sandbox`: runs a command inside a private embedded Xen, as dbus-run-session does for D-Bus. */
import { Command } from "commander";
import { runInSandbox } from "../lib/xen/embedded/run_in_sandbox.ts";
import { withManual } from "./shared/manual.ts";

export function sandboxCommand(): Command {
  const command = new Command("sandbox")
    .description(
      "Run COMMAND inside an embedded Xen of its own: XenStore, shared pages and event channels, on a machine " +
        "without Xen. It is gone when COMMAND ends, whose exit code this one returns (128+N for signal N; " +
        "126 if it cannot be run, 127 if it is not found).",
    )
    .usage("[--domain NAME]... -- COMMAND [ARG...]")
    .option("--domain <name>", "a guest that there is from the start; repeatable; ids count from 1", collect)
    .argument("<command...>", "what to run; dom0's XenStore is its XENSTORED_PATH")
    .action(async ([command, ...args]: string[], { domain = [] }: { domain?: string[] }) => {
      Deno.exit(await runInSandbox({ domains: domain, command, args }));
    });
  return withManual(command, {
    examples: [
      ["xsnd sandbox --domain domU -- bash", "a shell with a guest, and no Xen needed"],
      ["xsnd sandbox --domain domU -- xenstore-ls -f", "Debian's own tools work in it"],
    ],
    exits: {
      done: "COMMAND ended with 0; any other exit code of it is this command's, too",
      failed: "the embedded Xen cannot be started",
    },
  });
}

function collect(value: string, former: string[] = []): string[] {
  return [...former, value];
}
