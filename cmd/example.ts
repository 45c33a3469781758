// SPDX-License-Identifier: MIT
/** `xsnd example`: prints a configuration with every key, and what each means. */
import { Command } from "commander";
import { withManual } from "./shared/manual.ts";

export function exampleCommand(): Command {
  const command = new Command("example")
    .description(
      "Print a configuration file with every key and what each means, to start one's own from. `xsnd probe --yaml` prints a " +
        "shorter one, for the devices of this host.",
    )
    .action(async () => {
      const { annotatedExample } = await import("../lib/vsnd/config/annotated_example.ts");
      console.log(annotatedExample().trimEnd());
    });
  return withManual(command, {
    examples: [
      ["xsnd example >/etc/xsnd/xsnd.yaml", "start a configuration"],
      ["xsnd example | xsnd check -", "see that the example is right"],
    ],
    seeAlso: ["xsnd.yaml(5)", "xsnd-check(1)", "xsnd-probe(1)"],
  });
}
