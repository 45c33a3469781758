// SPDX-License-Identifier: MIT
/** Waiting until a guest has connected to the card of a stream. The domain and the card may come into being meanwhile. */
import { Exit, XsndError } from "../../base/error.ts";
import { parseStreamName, type StreamName } from "../../stream/stream_name.ts";
import { listDomains, resolveDomain, untilInStore } from "../../xenbus/mod.ts";
import type { Store, StoreView } from "../../xen/ports.ts";
import { type AwaitedCard, describeLate, hasReached } from "./await_cards.ts";
import { readCards } from "../nodes/inventory.ts";

/**
 * Waits until the card of the stream called `wanted` is connected, and resolves to the card. Domain and card need not exist yet.
 * Throws {@link XsndError}: exit 124 after `timeoutMs`, 2 if `wanted` could mean several cards, 1 if the card has no such
 * stream.
 */
export async function awaitConnected(store: Store, wanted: string, timeoutMs: number): Promise<AwaitedCard> {
  const name = parseStreamName(wanted);
  const deadline = performance.now() + timeoutMs;
  const left = () => Math.max(0, deadline - performance.now());
  for (;;) {
    // Every card has a record below /libxl. One transaction: a card that is half written or half removed must not be seen.
    const look = () => store.transaction((view) => findCard(view, name, wanted));
    const found = await untilInStore(store, ["/libxl"], look, left());
    if (found === undefined) {
      const what = name.card === undefined ? "no virtual sound card" : `no card ${name.card}`;
      throw new XsndError(
        `${name.domain} has ${what} (waited ${timeoutMs / 1000} s); \`xsnd list\` shows all cards, ` +
          "`xsnd provision` makes new ones",
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

/** The card that `name` means; undefined if there is none yet. */
function findCard(view: StoreView, name: StreamName, wanted: string): AwaitedCard | undefined {
  const isKnown = listDomains(view).some((domain) => [domain.name, `${domain.domid}`].includes(name.domain));
  if (!isKnown) return undefined;
  const cards = readCards(view, resolveDomain(view, name.domain))
    .filter(({ address }) => name.card === undefined || address.card === name.card);
  if (cards.length > 1) {
    const known = cards.map(({ address }) => `${name.domain}/${address.card}`).join(" or ");
    throw new XsndError(`${JSON.stringify(wanted)} could be ${known}; name one of them`, Exit.usage);
  }
  const [card] = cards;
  if (card === undefined || name.pcm === undefined) return card;
  const streams = card.pcms[name.pcm]?.streams ?? [];
  if (name.stream === undefined ? streams.length > 0 : streams[name.stream] !== undefined) return card;
  const { domain, address } = card;
  throw new XsndError(
    `card ${address.card} of ${domain.name} has no stream ${JSON.stringify(wanted)}; ` +
      `\`xsnd show ${domain.name}\` lists its streams`,
    Exit.failed,
  );
}
