/** `xsnd list`: the virtual sound cards of all guests. */
import { Command } from "commander";
import { type PresentCard, readAllCards } from "../lib/vsnd/inventory.ts";
import { stateName } from "../lib/xenbus/mod.ts";
import { count, print, printJson, printTable } from "./output.ts";
import { withStore } from "./store.ts";

export function listCommand(): Command {
  return new Command("list")
    .summary("show the virtual sound cards of all guests")
    .description(
      "Show the virtual sound cards of all guests, also those that `xl` made, and the state of both ends.",
    )
    .option("--json", "print the result as JSON")
    .action(async ({ json }: { json?: boolean }) => {
      const cards = await withStore((store) => readAllCards(store));
      if (json) printJson(cards.map(toJson));
      else if (cards.length === 0) {
        print("no guest has a virtual sound card; `xsnd provision DOMAIN` gives it one");
      } else printTable(["DOMAIN", "CARD", "NAME", "BY", "FRONTEND", "BACKEND", "STREAMS"], cards.map(toRow));
    });
}

function toRow(card: PresentCard): string[] {
  return [
    card.domain.name,
    String(card.address.card),
    card.shortName ?? "-",
    card.provisionedBy,
    stateName(card.frontendState),
    stateName(card.backendState),
    summary(card),
  ];
}

/** `1 playback, 2 captures`. */
function summary({ pcms }: PresentCard): string {
  const streams = pcms.flatMap((pcm) => pcm.streams);
  const kinds = (["playback", "capture"] as const).map((type) =>
    [streams.filter((stream) => stream.type === type).length, type] as const
  );
  return kinds.filter(([number]) => number > 0).map(([number, type]) => count(number, type)).join(", ") ||
    "none";
}

function toJson(card: PresentCard) {
  const { domain, address, backend } = card;
  return {
    domain: domain.name,
    domid: domain.domid,
    card: address.card,
    shortName: card.shortName ?? null,
    longName: card.longName ?? null,
    provisionedBy: card.provisionedBy,
    backend: backend.name,
    backendDomid: backend.domid,
    frontendState: stateName(card.frontendState),
    backendState: stateName(card.backendState),
    streams: card.pcms.flatMap(({ streams }, pcm) =>
      streams.map(({ type, uniqueId }, index) => ({
        stream: `${domain.name}/${address.card}/${pcm}/${index}`,
        type: type ?? null,
        uniqueId,
      }))
    ),
  };
}
