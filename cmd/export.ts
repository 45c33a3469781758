// SPDX-License-Identifier: MIT
/** `xsnd export`: converts a file, or the cards of a running domain, to the syntax of xl.cfg. */
import { Command } from "commander";
import { Exit, XsndError } from "../lib/base/error.ts";
import { inputName } from "../lib/base/standard_file.ts";
import type { Config, DomainConfig } from "../lib/vsnd/model/card.ts";
import { STORE_VARIABLES, withManual } from "./shared/manual.ts";
import { printable, printJson, printXl, warn } from "./shared/output.ts";
import { cardsOfDomain, isFile, requireRight } from "./shared/source.ts";

interface Options {
  readonly device: string;
  readonly json?: boolean;
}

export function exportCommand(): Command {
  const command = new Command("export")
    .description(
      "Print cards as vsnd=[...] for an xl.cfg. SOURCE is a file if a file of that name exists, and otherwise a running domain. " +
        "xl.cfg has no keys for a card's domain, devices, denied streams, first volumes and first mutes. The command writes those of " +
        "a file into comments, which xl ignores and `xsnd import` reads.",
    )
    .argument("<source>", "a YAML file or an xl.cfg, or name or number of a domain; - is standard input")
    .argument("[domain]", "domain to export, of a file with several")
    .option("--device <pcm>", "device of streams of a running domain that have none", "default")
    .option("--json", "print a JSON object with the domain's name and the text")
    .action(run);
  return withManual(command, {
    examples: [
      ["xsnd export domU.yaml >>/etc/xen/domU.cfg", "let xl make the cards together with the guest"],
      ["xsnd export sound.yaml guest2", "export one of several domains"],
    ],
    exits: {
      failed: "the domain does not exist or has no cards",
      permission: "this user or domain may not read XenStore",
      xenOrLibraryMissing: "SOURCE is not a file, and Xen or a library is missing",
      badConfiguration: "the file is invalid",
    },
    environment: STORE_VARIABLES,
    seeAlso: ["xsnd-import(1)", "xsnd-check(1)", "xl.cfg(5)"],
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
  const [only] = domains;
  if (wanted === undefined && only !== undefined && domains.length === 1) return only;
  const found = domains.find(([name]) => name === wanted);
  if (found !== undefined) return found;
  const known = domains.map(([name]) => name).join(", ");
  const file = printable(inputName(source));
  throw new XsndError(
    wanted === undefined
      ? `an xl.cfg is for one domain, and ${file} has ${known}; name one of them after the file`
      : `${file} has no domain ${JSON.stringify(wanted)}; it has ${known}`,
    wanted === undefined ? Exit.usage : Exit.failed,
  );
}
