// SPDX-License-Identifier: MIT
/** `xsnd probe`: shows the formats, rates and channels of this host's PCMs. */
import { Command, Option } from "commander";
import { Exit, XsndError } from "../lib/base/error.ts";
import { probeFailures } from "../lib/probe/probe_failures.ts";
import type { Probed } from "../lib/probe/probe_pcm.ts";
import { withManual } from "./shared/manual.ts";
import { print, printJson, printWrapped, printXl } from "./shared/output.ts";
import { printTable } from "./shared/table.ts";

interface Options {
  readonly yaml?: boolean;
  readonly xl?: boolean;
  readonly domain: string;
  readonly json?: boolean;
}

export function probeCommand(): Command {
  const command = new Command("probe")
    .description(
      "Open PCMs and show their formats, rates and channels. Without a name: all devices of the kernel's cards, and all PCMs " +
        "that ALSA's configuration advertises. The command plays no sound. A PCM that is busy or missing does not stop the " +
        "others.",
    )
    .argument("[pcm...]", "ALSA PCM names, or dummy:[FILE]")
    .addOption(
      new Option("--yaml", "print a configuration file with a card for these PCMs").conflicts(["xl", "json"]),
    )
    .addOption(new Option("--xl", "print the card in the syntax of xl.cfg").conflicts("json"))
    .option("--domain <name>", "guest to name in --yaml and --xl", "domU")
    .option("--json", "print the result as JSON")
    .action(probe);
  return withManual(command, {
    examples: [
      ["xsnd probe", "show a table of all PCMs"],
      ["xsnd probe --yaml hw:0,0 >domU.yaml", "write a file for `xsnd provision -f domU.yaml`"],
      [
        "xsnd probe --json | jq '.pcms[] | select(.problem == null) | .pcm'",
        "list the usable PCMs in a script",
      ],
    ],
    exits: { failed: "no PCM is usable", xenOrLibraryMissing: "libasound is missing" },
    environment: ["XSND_LIBASOUND"],
    seeAlso: ["xsnd-check(1)", "xsnd-provision(1)", "aplay(1)"],
  });
}

async function probe(names: string[], { yaml, xl, domain, json }: Options): Promise<void> {
  const { bothDirections, hostPcms } = await import("../lib/pcm/host_pcms.ts");
  const { probePcm } = await import("../lib/probe/probe_pcm.ts");
  const probed: Probed[] = [];
  for (const pcm of names.length > 0 ? names.flatMap(bothDirections) : hostPcms()) {
    probed.push(await probePcm(pcm));
  }
  if (yaml || xl) await printStanza(domain, probed, xl === true);
  else if (json) printJson({ pcms: probed.map(toJson) });
  else printProbed(probed);
  if (probed.every(({ problem }) => problem !== undefined)) {
    const next = names.length > 0
      ? "`xsnd probe` without a name shows all PCMs"
      : "`aplay -l` lists the kernel's cards";
    throw new XsndError(`no PCM is usable; ${next}`, Exit.failed);
  }
}

function printProbed(probed: readonly Probed[]): void {
  const rows = probed.flatMap(({ name, direction, able, problem }) =>
    able === undefined || problem !== undefined ? [] : [[
      name,
      direction,
      range(Math.min(...able.rates), Math.max(...able.rates)),
      range(able.channelsMin, able.channelsMax),
      able.formats.join(" "),
    ]]
  );
  if (rows.length > 0) printTable(["PCM", "TYPE", "RATES", "CHANNELS", "FORMATS"], rows);
  for (const { name, directions, problem, alsaMessages } of probeFailures(probed)) {
    print(`${name} (${directions.join(", ")}):`);
    printWrapped(problem, "  ");
    for (const message of alsaMessages) printWrapped(`ALSA says: ${message}`, "  ");
  }
}

function range(min: number, max: number): string {
  return min === max ? `${min}` : `${min}-${max}`;
}

function toJson({ name, direction, hardware, able, problem, alsaMessages }: Probed) {
  return { pcm: name, type: direction, hardware, problem: problem ?? null, alsaMessages, ...(able ?? {}) };
}

async function printStanza(domain: string, probed: readonly Probed[], xl: boolean): Promise<void> {
  const { stanzaFor } = await import("../lib/probe/probe_pcm.ts");
  const stanza = stanzaFor(domain, probed);
  if (stanza === undefined) {
    if (probed.every(({ problem }) => problem !== undefined)) return;
    throw new XsndError(
      "no PCM here belongs to a card or a sound server; `xsnd probe` shows all PCMs, and `xsnd probe --yaml PCM` takes any of them",
      Exit.failed,
    );
  }
  const { requireRight } = await import("./shared/source.ts");
  const config = await requireRight(stanza, domain);
  if (xl) {
    const { writeXl } = await import("../lib/vsnd/xl/write_vsnd.ts");
    for (const [name, guest] of config) printXl(writeXl(name, guest));
  } else {
    const { toYaml } = await import("../lib/vsnd/config/write_yaml.ts");
    console.log(toYaml(stanza).trimEnd());
  }
}
