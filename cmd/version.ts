// SPDX-License-Identifier: MIT
/** `xsnd version`: prints the versions of xsnd, and of what xsnd works with. */
import { Command } from "commander";
import { STORE_VARIABLES, withManual } from "./shared/manual.ts";
import { print, printJson } from "./shared/output.ts";
import { printTable } from "./shared/table.ts";

export function versionCommand(): Command {
  const command = new Command("version")
    .description(
      "Print the version of xsnd, of the daemon that runs, and of what both work with: Deno, Xen, the kernel and the C " +
        "libraries. A report of a fault begins with that. `xsnd --version` prints the version of xsnd alone.",
    )
    .option("--json", "print a JSON object")
    .action(version);
  return withManual(command, {
    examples: [
      ["xsnd version", "see what a report of a fault begins with"],
      ["xsnd version --json | jq -e '.daemon == .xsnd'", "test whether the daemon is to be started again"],
    ],
    environment: [...STORE_VARIABLES, "XSND_LIBXENGNTTAB", "XSND_LIBXENEVTCHN", "XSND_LIBASOUND"],
    seeAlso: ["xsnd-doctor(1)"],
  });
}

async function version({ json }: { readonly json?: boolean }): Promise<void> {
  const { versions } = await import("../lib/doctor/versions.ts");
  const found = await versions();
  if (json) return printJson(found);
  const { xsnd, daemon, deno, v8, xen, kernel, libraries } = found;
  const rows = [
    ["xsnd", xsnd],
    ["daemon", daemon ?? "none runs"],
    ["Deno", `${deno} (V8 ${v8})`],
    ["Xen", xen ?? "none"],
    ["Linux", kernel],
    ...Object.entries(libraries).map(([soname, library]) => [
      soname,
      library === null
        ? "missing"
        : [library.package, library.file].filter((part) => part !== null).join(", "),
    ]),
  ];
  const [first, ...rest] = rows as [string[], ...string[][]];
  printTable(first, rest);
  if (daemon !== null && daemon !== xsnd) {
    print("the daemon is of another version: restart it with `systemctl restart xsnd`");
  }
}
