// SPDX-License-Identifier: MIT
/** `xsnd sandbox`: runs a command in an embedded Xen of its own, as dbus-run-session does for D-Bus. */
import { Command } from "commander";
import { runInSandbox } from "../lib/xen/embedded/run_in_sandbox.ts";
import { withManual } from "./shared/manual.ts";

export function sandboxCommand(): Command {
  const command = new Command("sandbox")
    .description(
      "Run COMMAND in an embedded Xen, on a machine without Xen. The embedded Xen has XenStore, grants and event channels; " +
        "it exists until COMMAND ends. The exit code is that of COMMAND: 128+N after signal N, 126 if COMMAND cannot be " +
        "executed, 127 if it is not found.",
    )
    .usage("[--domain NAME]... -- COMMAND [ARG...]")
    .option("--domain <name>", "create a guest; repeatable; guests get the numbers 1, 2, ...", collect)
    .argument("<command...>", "program and arguments; XENSTORED_PATH names the XenStore of dom0")
    .action(async ([command = "", ...args]: string[], { domain = [] }: { domain?: string[] }) => {
      Deno.exit(await runInSandbox({ domains: domain, command, args }));
    });
  return withManual(command, {
    examples: [
      ["xsnd sandbox --domain domU -- bash", "open a shell in a Xen with one guest"],
      ["xsnd sandbox --domain domU -- xenstore-ls -f", "use Debian's XenStore tools in the embedded Xen"],
    ],
    exits: {
      done: "COMMAND ended with 0; any other exit code of COMMAND is passed on",
      failed: "the embedded Xen cannot be started",
    },
    details: [
      "COMMAND and its children find the embedded Xen by XSND_SANDBOX and XENSTORED_PATH, which this command sets. A process " +
      "acts as domain 0 unless XSND_DOMID has another number. The daemon's control socket is in the directory of the " +
      "embedded Xen, too.",
    ],
    seeAlso: ["xsnd-demo(1)", "xsnd-serve(1)", "xenstore-ls(1)"],
  });
}

function collect(value: string, former: string[] = []): string[] {
  return [...former, value];
}
