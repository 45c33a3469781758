/** `xsnd check`: is a configuration file right? Needs no Xen. */
import { Command } from "commander";
import type { Config } from "../lib/vsnd/card.ts";
import { count, print, printJson } from "./output.ts";

export function checkCommand(): Command {
  return new Command("check")
    .summary("check a configuration file")
    .description(
      "Check a configuration file and say what is wrong, where, and what to write instead. Needs no Xen.",
    )
    .argument("<file>", "the YAML file")
    .option("--json", "print the result as JSON")
    .action(async (file: string, { json }: { json?: boolean }) => {
      const { ConfigError, loadConfig } = await import("../lib/vsnd/config.ts");
      const { formatPath } = await import("../lib/vsnd/finding.ts");
      try {
        const config = loadConfig(file);
        if (json) printJson({ file, valid: true, findings: [] });
        else print(`${file} is right: ${summary(config)}`);
      } catch (error) {
        if (json && error instanceof ConfigError) {
          const findings = error.findings.map(({ path, ...rest }) => ({ path: formatPath(path), ...rest }));
          printJson({ file, valid: false, findings });
        }
        throw error;
      }
    });
}

function summary(config: Config): string {
  const cards = [...config.values()].flatMap((domain) => domain.cards);
  const streams = cards.flatMap((card) => card.pcms).flatMap((pcm) => pcm.streams);
  return `${count(config.size, "domain")}, ${count(cards.length, "card")}, ${
    count(streams.length, "stream")
  }`;
}
