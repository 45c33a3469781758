// SPDX-License-Identifier: MIT
/** `xsnd check`: validates a configuration file. Needs no Xen. */
import { Command } from "commander";
import { Exit, XsndError } from "../lib/base/error.ts";
import { inputName } from "../lib/base/standard_file.ts";
import type { Config } from "../lib/vsnd/model/card.ts";
import type { LocatedFinding } from "../lib/vsnd/model/finding.ts";
import { withManual } from "./shared/manual.ts";
import { count, print, printJson, warn } from "./shared/output.ts";

interface Options {
  readonly probe?: boolean;
  readonly json?: boolean;
}

export function checkCommand(): Command {
  const command = new Command("check")
    .description(
      "Validate configuration files, in YAML or in the syntax of xl.cfg. Each finding has its place in the file, the reason, " +
        "and a correction. Findings include values that xl accepts and the guest's driver then drops. Notes on stderr name " +
        "valid values with surprising effects. Needs no Xen.",
    )
    .argument("<file...>", "YAML files, or xl.cfgs with vsnd=[...]; - is standard input")
    .option("--probe", "also test whether this host's PCMs can do what the file allows")
    .option("--json", "print a JSON object a file")
    .action(checkAll);
  return withManual(command, {
    examples: [
      ["xsnd check /etc/xen/domU.cfg", "find what a guest made by xl would refuse"],
      ["xsnd check /etc/xen/*.cfg", "the same of all guests: fails if any file is invalid"],
      ["xsnd check --probe sound.yaml", "also test the devices of this host"],
      ["xsnd check --json sound.yaml | jq -r '.findings[].instead'", "list the corrections in a script"],
    ],
    exits: { done: "each file is valid", badConfiguration: "a file is invalid, or cannot be read" },
    environment: ["XSND_LIBASOUND"],
    files: ["/usr/share/xsnd/xsnd.schema.json", "/usr/share/doc/xsnd/examples"],
    seeAlso: ["xsnd-provision(1)", "xsnd-import(1)", "xl.cfg(5)"],
  });
}

/** Checks each file. Throws {@link XsndError} (exit 6) with all that is wrong. */
async function checkAll(files: readonly string[], options: Options): Promise<void> {
  const problems: XsndError[] = [];
  for (const file of files) {
    try {
      await check(file, options);
    } catch (error) {
      if (!(error instanceof XsndError) || error.exitCode !== Exit.badConfiguration) throw error;
      problems.push(error);
    }
  }
  if (problems.length === 0) return;
  throw new XsndError(problems.map(({ message }) => message).join("\n"), Exit.badConfiguration, {
    cause: problems[0],
  });
}

async function check(file: string, { probe, json }: Options): Promise<void> {
  const { checkFile } = await import("../lib/vsnd/config/config_file.ts");
  const { ConfigError } = await import("../lib/vsnd/config/config_error.ts");
  const { explainFinding, formatPath } = await import("../lib/vsnd/model/finding.ts");
  const toJson = ({ path, line, column, what, why, instead }: LocatedFinding) => ({
    path: formatPath(path),
    line,
    column,
    what,
    why: why ?? null,
    instead: instead ?? null,
  });
  try {
    const { config, notes, locate } = checkFile(file);
    if (probe) {
      const { probeFindings } = await import("../lib/probe/probe_findings.ts");
      const findings = await probeFindings(config);
      if (findings.length > 0) throw new ConfigError(file, findings.map(locate));
    }
    for (const note of notes) warn(explainFinding(file, note));
    if (json) printJson({ file, valid: true, findings: [], notes: notes.map(toJson) });
    else print(`${inputName(file)} is right: ${summary(config)}`);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (json) printJson({ file, valid: false, findings: error.findings.map(toJson), notes: [] });
    const lines = error.findings.map((finding) => explainFinding(file, finding));
    throw new XsndError(lines.join("\n"), Exit.badConfiguration, { cause: error });
  }
}

function summary(config: Config): string {
  const cards = [...config.values()].flatMap((domain) => domain.cards);
  const streams = cards.flatMap((card) => card.pcms).flatMap((pcm) => pcm.streams);
  return `${count(config.size, "domain")}, ${count(cards.length, "card")}, ${
    count(streams.length, "stream")
  }`;
}
