// SPDX-License-Identifier: MIT
/** `xsnd export`: from YAML, or from a running domain, to xl's syntax. */
import { Command } from "commander";
import { Exit, XsndError } from "../lib/base/error.ts";
import type { Config, DomainConfig } from "../lib/vsnd/model/card.ts";
import { withManual } from "./shared/manual.ts";
import { printable, printJson, printXl } from "./shared/output.ts";
import { cardsOfDomain, isFile, requireRight, warn } from "./shared/source.ts";

interface Options {
  readonly device: string;
  readonly json?: boolean;
}

export function exportCommand(): Command {
  const command = new Command("export")
    .description(
      "Print cards as vsnd=[...] for an xl.cfg. SOURCE is a file if there is one of that name, and otherwise a running " +
        "domain. Devices, denied streams and the domain's name, for which xl has no words, are in comments: xl passes " +
        "over them, and `xsnd import` reads them.",
    )
    .argument("<source>", "a YAML file or an xl.cfg, or a domain by name or number")
    .argument("[domain]", "the domain of a file that has several")
    .option("--device <pcm>", "the device of a running domain's streams that have none", "default")
    .option("--json", "print the text as JSON, with the domain's name")
    .action(run);
  return withManual(command, {
    examples: [
      ["xsnd export domU.yaml >>/etc/xen/domU.cfg", "xl makes the cards together with the guest"],
      ["xsnd export sound.yaml guest2", "one of several domains"],
    ],
    exits: {
      failed: "no such domain, or it has no cards",
      permission: "may not read XenStore",
      xenOrLibraryMissing: "SOURCE is no file, and there is no Xen to ask for a domain",
      badConfiguration: "the file is not right",
    },
  });
}

async function run(source: string, wanted: string | undefined, { device, json }: Options): Promise<void> {
  const { misspeltFormats, writeXl } = await import("../lib/vsnd/xl/write_vsnd.ts");
  const [name, domain] = chosen(await configOf(source, device), source, wanted);
  const misspelt = misspeltFormats(domain).join(", ");
  if (misspelt !== "") {
    warn(
      `${misspelt}: libxl writes it into XenStore in letters that the Linux frontend does not know, and the guest ` +
        "will not be offered it; `xsnd provision` makes cards without that flaw",
    );
  }
  const text = writeXl(name, domain);
  if (json) printJson({ domain: name, vsnd: text });
  else if (!printXl(text)) {
    warn(
      "a text has characters that cannot be seen, for which xl has no escapes: each is U+FFFD here, --json has them all",
    );
  }
}

async function configOf(source: string, device: string): Promise<Config> {
  if (isFile(source)) {
    const { checkFile } = await import("../lib/vsnd/config/config_file.ts");
    return checkFile(source, "limits").config;
  }
  const { describeCards } = await import("../lib/vsnd/config/describe_card.ts");
  return await requireRight(describeCards(await cardsOfDomain(source), device), source);
}

function chosen(config: Config, source: string, wanted: string | undefined): [string, DomainConfig] {
  const domains = [...config];
  if (wanted === undefined && domains.length === 1) return domains[0];
  const found = domains.find(([name]) => name === wanted);
  if (found !== undefined) return found;
  const known = domains.map(([name]) => name).join(", ");
  throw new XsndError(
    wanted === undefined
      ? `an xl.cfg is for one domain, and ${printable(source)} has ${known}; name one of them after the file`
      : `${printable(source)} has no domain ${JSON.stringify(wanted)}; it has ${known}`,
    wanted === undefined ? Exit.usage : Exit.failed,
  );
}
