// SPDX-License-Identifier: MIT
/** Waiting for a guest to connect to the card of a stream, whether domain and card are there yet or not. */
import { Exit, XsndError } from "../../base/error.ts";
import { parseStreamName, type StreamName } from "../../stream/stream_name.ts";
import { listDomains, resolveDomain, untilInStore } from "../../xenbus/mod.ts";
import type { Store, StoreView } from "../../xen/ports.ts";
import { type AwaitedCard, describeLate, hasReached } from "./await_cards.ts";
import { readCards } from "../nodes/inventory.ts";

/**
 * Waits until the card of the stream that `wanted` names is connected, though domain and card may not be there yet. Returns the
 * card. Throws {@link XsndError}: exit 124 after `timeoutMs`, 2 if more than one card could be meant, 1 if the card is there
 * and has no such stream.
 */
export async function awaitConnected(store: Store, wanted: string, timeoutMs: number): Promise<AwaitedCard> {
  const name = parseStreamName(wanted);
  const deadline = performance.now() + timeoutMs;
  const left = () => Math.max(0, deadline - performance.now());
  for (;;) {
    // No domain has a card before /libxl has a record of it.
    // In one go: half of a card that comes or goes is none.
    const look = () => store.transaction((view) => findCard(view, name, wanted));
    const found = await untilInStore(store, ["/libxl"], look, left());
    if (found === undefined) {
      const what = name.card === undefined ? "no virtual sound card" : `no card ${name.card}`;
      throw new XsndError(
        `${name.domain} has ${what} (waited ${timeoutMs / 1000} s); \`xsnd list\` shows what there is, ` +
          "`xsnd provision` makes more",
        Exit.timedOut,
      );
    }
    const { libxl, frontend, backend } = found.paths;
    const isThere = () => store.read(`${libxl}/backend`) === backend;
    const outcome = await untilInStore(
      store,
      [libxl, `${frontend}/state`, `${backend}/state`],
      () => hasReached(store, found, "connected") ? "connected" : isThere() ? undefined : "gone",
      left(),
    );
    if (outcome === "connected") return found;
    if (outcome === undefined) {
      throw new XsndError(describeLate(store, found, "connected", timeoutMs), Exit.timedOut);
    }
  }
}

/** The card that `name` means, if it is there. */
function findCard(view: StoreView, name: StreamName, wanted: string): AwaitedCard | undefined {
  const isKnown = listDomains(view).some((domain) => [domain.name, `${domain.domid}`].includes(name.domain));
  if (!isKnown) return undefined;
  const cards = readCards(view, resolveDomain(view, name.domain))
    .filter(({ address }) => name.card === undefined || address.card === name.card);
  if (cards.length > 1) {
    const known = cards.map(({ address }) => `${name.domain}/${address.card}`).join(" or ");
    throw new XsndError(`${JSON.stringify(wanted)} could be ${known}; say which card`, Exit.usage);
  }
  const [card] = cards;
  if (card === undefined || name.pcm === undefined) return card;
  const streams = card.pcms[name.pcm]?.streams ?? [];
  if (name.stream === undefined ? streams.length > 0 : streams[name.stream] !== undefined) return card;
  const { domain, address } = card;
  throw new XsndError(
    `card ${address.card} of ${domain.name} has no stream ${JSON.stringify(wanted)}; ` +
      `\`xsnd show ${domain.name}\` lists those that it has`,
    Exit.failed,
  );
}
