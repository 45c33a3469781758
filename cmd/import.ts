// SPDX-License-Identifier: MIT
/** `xsnd import`: from xl's syntax, or from a running domain, to YAML. */
import { Command } from "commander";
import { Exit, XsndError } from "../lib/base/error.ts";
import type { RawConfig } from "../lib/vsnd/config/schema.ts";
import type { SharedId } from "../lib/vsnd/config/shared_ids.ts";
import { withManual } from "./shared/manual.ts";
import { count, printJson } from "./shared/output.ts";
import { cardsOfDomain, isFile, requireRight, warn } from "./shared/source.ts";

interface Options {
  readonly domain?: string;
  readonly device: string;
  readonly json?: boolean;
}

export function importCommand(): Command {
  const command = new Command("import")
    .description(
      "Print as YAML what an xl.cfg says under vsnd, or the cards of a running domain, whoever made them. SOURCE is a " +
        "file if there is one of that name, and otherwise a domain. xl has no word for a stream's device; what " +
        "`xsnd export` wrote into comments is read. xl lets streams share a unique-id: each of these is named by its " +
        "place, CARD/PCM/STREAM, by which `serve --config` finds it on the card that xl makes.",
    )
    .argument("<source>", "an xl.cfg, or a domain by name or number")
    .option("--domain <name>", "the domain of a file that names none")
    .option("--device <pcm>", "the device of streams that have none", "default")
    .option("--json", "print JSON, which is YAML too")
    .action(run);
  return withManual(command, {
    examples: [
      [
        "xsnd import /etc/xen/domU.cfg >domU.yaml",
        "from now on `xsnd provision -f domU.yaml` makes the cards",
      ],
      ["xsnd import --device hw:0,0 domU", "what a running domain has, made by xl or xsnd"],
    ],
    exits: {
      failed: "no such domain, or it has no cards",
      permission: "may not read XenStore",
      xenOrLibraryMissing: "SOURCE is no file, and there is no Xen to ask for a domain",
      badConfiguration: "the file is not right",
    },
  });
}

async function run(source: string, options: Options): Promise<void> {
  const value = isFile(source) ? await fromFile(source, options) : await fromDomain(source, options);
  const { nameByPlace } = await import("../lib/vsnd/config/shared_ids.ts");
  // both kinds of source have been judged by the schema
  nameByPlace(value as RawConfig).forEach(warnOfShared);
  if (options.json) printJson(value);
  else {
    const { toYaml } = await import("../lib/vsnd/config/write_yaml.ts");
    console.log(toYaml(value).trimEnd());
  }
}

/** Streams that one warning names. */
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
    throw new XsndError(`${file} does not say whose it is; name the domain with --domain`, Exit.usage);
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
