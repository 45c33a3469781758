// SPDX-License-Identifier: MIT
/** `xsnd list`: shows the virtual sound cards of all guests. */
import { Command } from "commander";
import { declaredGuests } from "../lib/control/declared_guests.ts";
import { formatStreamName } from "../lib/stream/stream_name.ts";
import { type PresentCard, readAllCards } from "../lib/vsnd/nodes/inventory.ts";
import { watchCards } from "../lib/vsnd/provision/watch_cards.ts";
import { stateName } from "../lib/xenbus/mod.ts";
import type { Store } from "../lib/xen/ports.ts";
import { STORE_VARIABLES, withManual } from "./shared/manual.ts";
import { type ListOptions, printList, wantsJson, withListOutput } from "./shared/list_output.ts";
import { count, printJson, warn } from "./shared/output.ts";
import { withStore } from "./shared/store.ts";
import { tableLines } from "./shared/table.ts";
import { converted, isLive, printWatch, showWatch, WATCH_FLAG, WATCH_HELP } from "./shared/watch_option.ts";

const HEADER = ["DOMAIN", "CARD", "NAME", "BY", "FRONTEND", "BACKEND", "STREAMS"];
const TABLE = { optional: ["STREAMS", "BY", "NAME"] };

export function listCommand(): Command {
  const command = new Command("list")
    .description(
      "Show the virtual sound cards of all guests, including those that xl made, and the XenBus state of both ends.",
    )
    .option(WATCH_FLAG, WATCH_HELP);
  withListOutput(command).action(async (options: ListOptions & { watch?: boolean }) => {
    if (options.watch) return await withStore((store) => watchList(store, wantsJson(options)));
    const cards = await withStore((store) => readAllCards(store));
    const list = {
      header: HEADER,
      rows: cards.map(toRow),
      table: TABLE,
      names: cards.map(({ domain, address }) => `${domain.name}/${address.card}`),
      nothing: "no guest has a virtual sound card; `xsnd provision DOMAIN` gives it one",
      document: cards.map(toJson),
    };
    await printList(list, options, printJson);
    if (options.output === undefined && !wantsJson(options)) await tellMissing();
  });
  return withManual(command, {
    examples: [
      ["xsnd list", "show a table of the cards"],
      ["xsnd list --watch", "follow the changes"],
      ["xsnd list -o name", "print DOMAIN/CARD of each, for a script"],
    ],
    exits: {
      permission: "this user or domain may not read the toolstack's nodes",
      xenOrLibraryMissing: "Xen or a library is missing",
      interrupted: "--watch was ended by SIGINT or SIGTERM",
    },
    environment: STORE_VARIABLES,
    seeAlso: ["xsnd-show(1)", "xsnd-provision(1)", "xl(1)"],
  });
}

/** Names the guests that should have cards, and do not. */
async function tellMissing(): Promise<void> {
  const declared = await declaredGuests();
  for (const { domain, problem } of declared?.guests ?? []) {
    if (problem !== undefined) {
      warn(`${domain} has not the cards that ${declared!.file} declares: ${problem}`);
    }
  }
}

function watchList(store: Store, isJson: boolean): Promise<void> {
  const looks = watchCards(store, "/libxl", readAllCards);
  if (isLive(isJson)) {
    return showWatch(looks, (cards, width) => tableLines(HEADER, cards.map(toRow), { ...TABLE, width }));
  }
  return printWatch(
    { noun: "card", version: 1, key: ({ domid, card }) => `${domid}/${card}` },
    converted(looks, toJson),
  );
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
        stream: formatStreamName(domain.name, address.card, pcm, index),
        type: type ?? null,
        uniqueId,
      }))
    ),
  };
}
