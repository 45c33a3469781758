/** `xsnd provision`: writes the XenStore tree of virtual sound cards. */
import { Command, Option } from "commander";
import { Exit, XsndError } from "../lib/error.ts";
import { type PlannedCard, provision, type WantedCard } from "../lib/vsnd/plan.ts";
import { cardsOfFile, defaultCardFor } from "../lib/vsnd/wanted.ts";
import type { StoreView } from "../lib/xen/ports.ts";
import { print, printJson, printWrapped } from "./output.ts";
import { withStore } from "./store.ts";

/** Nodes of a changed card that are named one by one. */
const SHOWN_DIFFERENCES = 8;

interface Options {
  readonly file?: string;
  readonly device: string;
  readonly json?: boolean;
}

export function provisionCommand(): Command {
  return new Command("provision")
    .summary("give guests virtual sound cards")
    .description(
      "Write what a guest's sound driver and `xsnd serve` read from XenStore. DOMAIN alone gets one card with a " +
        "stereo playback and a stereo capture stream. A card that is as wanted is left alone; one in use is not changed.",
    )
    .argument("[domain]", "the guest, by name or number; with --file: this one only")
    .option("-f, --file <file>", "a YAML file of guests and their cards")
    .addOption(
      new Option("--device <name>", "without --file: an ALSA PCM name, or dummy:[FILE]").default("default")
        .conflicts("file"),
    )
    .option("--json", "print the result as JSON")
    .action(async (domain: string | undefined, { file, device, json }: Options) => {
      const plan = await planFor(domain, file, device);
      if (json) printJson(plan.map(toJson));
      else plan.forEach(printCard);
    });
}

async function planFor(
  domain: string | undefined,
  file: string | undefined,
  device: string,
): Promise<PlannedCard[]> {
  if (file !== undefined) {
    const { loadConfig } = await import("../lib/vsnd/config.ts");
    const config = loadConfig(file);
    return provisionAll((view) => cardsOfFile(view, config, file, domain));
  }
  if (domain === undefined) {
    throw new XsndError(
      "provision what? name a DOMAIN, or a file with --file; see `xsnd provision --help`",
      Exit.usage,
    );
  }
  return provisionAll((view) => defaultCardFor(view, domain, device));
}

/** Provisions the cards that `choose` names, after a look at those devices that this domain is to serve. */
function provisionAll(choose: (view: StoreView) => readonly WantedCard[]): Promise<PlannedCard[]> {
  return withStore(async (store, domid) => {
    await refuseMismatches(choose(store).filter(({ address }) => address.backendDomid === domid));
    return provision(store, choose);
  });
}

/** Throws XsndError (exit 6) if a card has a stream whose device can do nothing of what it allows. */
async function refuseMismatches(cards: readonly WantedCard[]): Promise<void> {
  const { mismatchOf } = await import("../lib/backend/mismatch.ts");
  const refusals: string[] = [];
  for (const { domain, address, card } of cards) {
    for (const [p, pcm] of card.pcms.entries()) {
      for (const [s, stream] of pcm.streams.entries()) {
        const reason = await mismatchOf(stream);
        if (reason === undefined) continue;
        const name = `${domain.name}/${address.card}/${p}/${s}`;
        refusals.push(
          `${name}: ${stream.type} on ${
            JSON.stringify(stream.device)
          } is not possible: ${reason}; allow what it can do, ` +
            "or put ALSA's conversion before it (plughw: for hw:, or plug:)",
        );
      }
    }
  }
  if (refusals.length > 0) throw new XsndError(refusals.join("\n"), Exit.badConfiguration);
}

function toJson({ domain, address, action, differences }: PlannedCard) {
  return { domain: domain.name, domid: domain.domid, card: address.card, action, differences };
}

function printCard({ domain, address, card, action, differences }: PlannedCard): void {
  const name = card.shortName === undefined ? "" : ` (${card.shortName})`;
  print(`${domain.name} card ${address.card}${name}: ${action}`);
  for (const difference of differences.slice(0, SHOWN_DIFFERENCES)) printWrapped(difference, "  ");
  const more = differences.length - SHOWN_DIFFERENCES;
  if (more > 0) print(`  and ${more} more`);
}
