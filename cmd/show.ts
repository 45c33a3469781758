// SPDX-License-Identifier: MIT
/** `xsnd show`: shows one guest's virtual sound cards in full. */
import { Command } from "commander";
import { formatStreamName } from "../lib/stream/stream_name.ts";
import { type PresentCard, type PresentStream, readCards } from "../lib/vsnd/nodes/inventory.ts";
import { watchCards } from "../lib/vsnd/provision/watch_cards.ts";
import { type Domain, libxlCardsPath, resolveDomain, stateName } from "../lib/xenbus/mod.ts";
import type { Store } from "../lib/xen/ports.ts";
import { STORE_VARIABLES, withManual } from "./shared/manual.ts";
import { count, print, printJson, printWrapped } from "./shared/output.ts";
import { withStore } from "./shared/store.ts";
import { converted, printWatch, WATCH_FLAG, WATCH_HELP } from "./shared/watch_option.ts";

export function showCommand(): Command {
  const command = new Command("show")
    .description(
      "Show the virtual sound cards of a guest: names, states and paths, and each stream with its device and the parameters " +
        "that the guest may choose.",
    )
    .argument("<domain>", "name or number of the guest")
    .option("--json", "print the result as JSON")
    .option(WATCH_FLAG, WATCH_HELP)
    .action(async (name: string, { json, watch }: { json?: boolean; watch?: boolean }) => {
      if (watch) return await withStore((store) => watchDomain(store, resolveDomain(store, name)));
      const [domain, cards] = await withStore((store) => {
        const domain = resolveDomain(store, name);
        return [domain, readCards(store, domain)] as const;
      });
      if (json) printJson({ version: 1, domain: domain.name, domid: domain.domid, cards: cards.map(toJson) });
      else if (cards.length === 0) print(`${domain.name} (${domain.domid}) has no virtual sound card`);
      else cards.forEach((card) => printCard(domain, card));
    });
  return withManual(command, {
    examples: [
      ["xsnd show domU", "show the cards of domU"],
      ["xsnd show domU --json | jq '.cards[].backend.state'", "read the backends' states in a script"],
    ],
    exits: {
      failed: "the domain does not exist",
      permission: "this user or domain may not read the toolstack's nodes",
      xenOrLibraryMissing: "Xen or a library is missing",
      interrupted: "--watch was ended by SIGINT or SIGTERM",
    },
    environment: STORE_VARIABLES,
    seeAlso: ["xsnd-list(1)", "xsnd-status(1)"],
  });
}

function watchDomain(store: Store, domain: Domain): Promise<void> {
  const looks = watchCards(store, libxlCardsPath(domain.domid), (view) => readCards(view, domain));
  return printWatch({ noun: "card", version: 1, key: ({ card }) => String(card) }, converted(looks, toJson));
}

function printCard(domain: Domain, card: PresentCard): void {
  const { address, paths } = card;
  const names = [card.shortName, card.longName].filter((name) => name !== undefined).join(", ");
  print(`${domain.name} (${domain.domid}) card ${address.card}${names && `: ${names}`}`);
  print(`  made by ${card.provisionedBy}, served by ${card.backend.name} (${card.backend.domid})`);
  print(`  frontend  ${stateName(card.frontendState).padEnd(14)}${paths.frontend}`);
  print(`  backend   ${stateName(card.backendState).padEnd(14)}${paths.backend}`);
  card.pcms.forEach(({ name, streams }, pcm) => {
    print(`  PCM ${pcm}${name === undefined ? "" : `: ${name}`}`);
    streams.forEach((stream, index) =>
      printStream(formatStreamName(domain.name, address.card, pcm, index), stream)
    );
  });
  for (const problem of card.problems) printWrapped(`problem: ${problem}`, "  ");
}

function printStream(address: string, { type, uniqueId, device, denied, effective }: PresentStream): void {
  const { rates, formats, channelsMin, channelsMax, bufferSizeBytes } = effective;
  printWrapped(
    `${address}  ${type ?? "neither playback nor capture"} "${uniqueId}" on ${device ?? "no device"}${
      denied ? ", denied: silence" : ""
    }`,
    "    ",
  );
  printWrapped(`${rates.join(", ")} Hz`, "      ");
  const channels = channelsMin === channelsMax
    ? count(channelsMax, "channel")
    : `${channelsMin} to ${channelsMax} channels`;
  printWrapped(`${formats.join(", ")}; ${channels}; buffers up to ${bufferSizeBytes} octets`, "      ");
}

function toJson(card: PresentCard) {
  const { address, paths } = card;
  return {
    card: address.card,
    shortName: card.shortName ?? null,
    longName: card.longName ?? null,
    provisionedBy: card.provisionedBy,
    frontend: { path: paths.frontend, state: stateName(card.frontendState) },
    backend: {
      path: paths.backend,
      state: stateName(card.backendState),
      domain: card.backend.name,
      domid: card.backend.domid,
    },
    pcms: card.pcms.map(({ name, streams }) => ({
      name: name ?? null,
      streams: streams.map(({ type, uniqueId, device, denied, effective }) => ({
        type: type ?? null,
        uniqueId,
        device: device ?? null,
        denied: denied === true,
        ...effective,
      })),
    })),
    problems: card.problems,
  };
}
