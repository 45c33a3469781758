// SPDX-License-Identifier: MIT
/** `xsnd probe`: what this host's PCMs can really do. */
import { Command, Option } from "commander";
import { Exit, XsndError } from "../lib/base/error.ts";
import type { Probed } from "../lib/probe/probe_pcm.ts";
import { withManual } from "./shared/manual.ts";
import { print, printJson, printTable, printWrapped, printXl } from "./shared/output.ts";

interface Options {
  readonly yaml?: boolean;
  readonly xl?: boolean;
  readonly domain: string;
  readonly json?: boolean;
}

export function probeCommand(): Command {
  const command = new Command("probe")
    .description(
      "Open PCMs and ask each for its formats, rates and channels: those named, or all devices of all cards and all " +
        "PCMs that ALSA's configuration advertises. Nothing is played. One that is busy or not there does not stop the others.",
    )
    .argument("[pcm...]", "ALSA PCM names, or dummy:[FILE]")
    .addOption(new Option("--yaml", "print a configuration with a card for them").conflicts(["xl", "json"]))
    .addOption(new Option("--xl", "print the same in the syntax of xl.cfg").conflicts("json"))
    .option("--domain <name>", "the guest of --yaml and --xl", "domU")
    .option("--json", "print the result as JSON")
    .action(probe);
  return withManual(command, {
    examples: [
      ["xsnd probe", "a table of what there is"],
      ["xsnd probe --yaml hw:0,0 >domU.yaml", "`xsnd provision -f domU.yaml` takes it as it is"],
      ["xsnd probe --json | jq '.pcms[] | select(.problem == null) | .pcm'", "for scripts"],
    ],
    exits: { failed: "nothing that was asked can be used", xenOrLibraryMissing: "libasound is missing" },
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
      ? "`xsnd probe` without a name shows all"
      : "`aplay -l` lists the kernel's cards";
    throw new XsndError(`no PCM can be used; ${next}`, Exit.failed);
  }
}

function printProbed(probed: readonly Probed[]): void {
  const rows = probed.flatMap(({ name, direction, able, problem }) =>
    able === undefined || problem !== undefined ? [] : [[
      name,
      direction,
      range(able.rates[0], able.rates[able.rates.length - 1]),
      range(able.channelsMin, able.channelsMax),
      able.formats.join(" "),
    ]]
  );
  if (rows.length > 0) printTable(["PCM", "TYPE", "RATES", "CHANNELS", "FORMATS"], rows);
  for (const { heading, problem, alsaMessages } of failures(probed)) {
    print(`${heading}:`);
    printWrapped(problem, "  ");
    for (const message of alsaMessages) printWrapped(`ALSA says: ${message}`, "  ");
  }
}

/** What cannot be used, each name once if both of its directions have the same reason. */
function failures(probed: readonly Probed[]) {
  const found = new Map<
    string,
    { name: string; directions: string[]; problem: string; alsaMessages: readonly string[] }
  >();
  for (const { name, direction, problem, alsaMessages } of probed) {
    if (problem === undefined) continue;
    const reason = problem.replace(` for ${direction}:`, ":");
    const key = JSON.stringify([name, reason]);
    const same = found.get(key);
    if (same === undefined) found.set(key, { name, directions: [direction], problem: reason, alsaMessages });
    else if (!same.directions.includes(direction)) same.directions.push(direction);
  }
  return [...found.values()].map(({ name, directions, ...rest }) => ({
    heading: `${name} (${directions.join(", ")})`,
    ...rest,
  }));
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
      "no PCM here is a card's or a sound server's; `xsnd probe` shows all, and those that are named are taken as they are",
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
