// SPDX-License-Identifier: MIT
/** `xsnd import`: converts an xl.cfg, or the cards of a running domain, to YAML. */
import { Command } from "commander";
import { Exit, XsndError } from "../lib/base/error.ts";
import { inputName } from "../lib/base/standard_file.ts";
import type { RawConfig } from "../lib/vsnd/config/schema.ts";
import type { SharedId } from "../lib/vsnd/config/shared_ids.ts";
import { STORE_VARIABLES, withManual } from "./shared/manual.ts";
import { count, printJson, warn } from "./shared/output.ts";
import { cardsOfDomain, isFile, requireRight } from "./shared/source.ts";

interface Options {
  readonly domain?: string;
  readonly device: string;
  readonly json?: boolean;
}

export function importCommand(): Command {
  const command = new Command("import")
    .description(
      "Print the vsnd entries of an xl.cfg, or the cards of a running domain, as YAML. SOURCE is a file if a file of that name " +
        "exists, and otherwise a domain. xl.cfg has no key for a stream's device; the command reads the devices that " +
        "`xsnd export` wrote into comments. Streams that share a unique-id, as xl allows, are named by place " +
        "(CARD/PCM/STREAM); `serve --config` finds them by place, too.",
    )
    .argument("<source>", "an xl.cfg, or name or number of a domain; - is standard input")
    .option("--domain <name>", "domain of a file that names none")
    .option("--device <pcm>", "device of streams that have none", "default")
    .option("--json", "print JSON, which is valid YAML")
    .action(run);
  return withManual(command, {
    examples: [
      [
        "xsnd import /etc/xen/domU.cfg >domU.yaml",
        "convert a file for `xsnd provision -f domU.yaml`",
      ],
      ["xsnd import --device hw:0,0 domU", "convert the cards of a running domain"],
    ],
    exits: {
      failed: "the domain does not exist or has no cards",
      permission: "this user or domain may not read XenStore",
      xenOrLibraryMissing: "SOURCE is not a file, and Xen or a library is missing",
      badConfiguration: "the file is invalid",
    },
    environment: STORE_VARIABLES,
    seeAlso: ["xsnd-export(1)", "xsnd-check(1)", "xl.cfg(5)"],
  });
}

async function run(source: string, options: Options): Promise<void> {
  const value = isFile(source) ? await fromFile(source, options) : await fromDomain(source, options);
  const { nameByPlace } = await import("../lib/vsnd/config/shared_ids.ts");
  // The schema has accepted both kinds of source.
  nameByPlace(value as RawConfig).forEach(warnOfShared);
  if (options.json) printJson(value);
  else {
    const { toYaml } = await import("../lib/vsnd/config/write_yaml.ts");
    console.log(toYaml(value).trimEnd());
  }
}

/** The most streams that a warning names. */
const MAX_NAMED = 8;

function warnOfShared({ uniqueId, bearers }: SharedId): void {
  const places = bearers.map(({ place }) => place);
  const more = places.length - MAX_NAMED;
  const named = [...places.slice(0, MAX_NAMED), ...(more > 0 ? [`${more} more`] : [])];
  warn(
    `${count(bearers.length, "stream")} share the unique-id ${
      JSON.stringify(uniqueId)
    }; here each is named by its place: ${named.join(", ")}`,
  );
}

async function fromFile(file: string, { domain, device }: Options): Promise<unknown> {
  const { readConfigText } = await import("../lib/vsnd/config/config_text.ts");
  const { checkXl, readXl } = await import("../lib/vsnd/config/config_file.ts");
  const reading = readXl(readConfigText(file), file, { domain: domain ?? "domU", device });
  checkXl(reading, file, "limits");
  if (!reading.named && domain === undefined) {
    throw new XsndError(
      `${inputName(file)} does not say whose it is; name the domain with --domain`,
      Exit.usage,
    );
  }
  if (reading.deviceless > 0) {
    warn(`xl has no word for devices: ${count(reading.deviceless, "stream")} got ${device}; see --device`);
  }
  return reading.value;
}

async function fromDomain(name: string, { device }: Options): Promise<unknown> {
  const cards = await cardsOfDomain(name);
  const { describeCards } = await import("../lib/vsnd/config/describe_card.ts");
  const deviceless = cards.flatMap(({ pcms }) => pcms).flatMap(({ streams }) => streams)
    .filter((stream) => stream.device === undefined).length;
  if (deviceless > 0) warn(`${count(deviceless, "stream")} made by xl got ${device}; see --device`);
  const value = describeCards(cards, device);
  await requireRight(value, name);
  return value;
}
