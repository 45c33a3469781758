// SPDX-License-Identifier: MIT
/** Cards that XenStore knows, as a configuration file would have them. */
import { XsndError } from "../../base/error.ts";
import type { StreamParams } from "../model/card.ts";
import { DEFAULT_BACKEND } from "../model/card.ts";
import type { PresentCard, PresentStream } from "../nodes/inventory.ts";
import { fieldName, PARAM_KEYS } from "../model/param_nodes.ts";
import type { RawParams } from "./schema.ts";

/**
 * The value of a YAML file with these cards, all of one domain. What each stream may do stands where it is the same for all
 * below: XenStore keeps the result of inheritance, not who said what. A stream that has no device, as `xl` made its card, gets
 * `device`. Throws {@link XsndError} (exit 1) for cards that no file can have.
 */
export function describeCards(cards: readonly PresentCard[], device: string): unknown {
  const [{ domain, backend }] = cards;
  requireDescribable(cards);
  return {
    domains: {
      [domain.name]: {
        ...(backend.name !== DEFAULT_BACKEND && backend.domid !== 0 && { backend: backend.name }),
        cards: cards.map((card) => describeCard(card, device)),
      },
    },
  };
}

/** In a file a card's number is its place in the list, and the cards of a domain have one backend. */
function requireDescribable(cards: readonly PresentCard[]): void {
  const [{ domain, backend }] = cards;
  const other = cards.find((card) => card.backend.domid !== backend.domid);
  if (other !== undefined) {
    throw new XsndError(
      `card 0 of ${domain.name} is served by ${backend.name}, and card ${other.address.card} by ${other.backend.name}; ` +
        "in a file the cards of a domain have one backend",
    );
  }
  const gap = cards.findIndex(({ address }, index) => address.card !== index);
  if (gap < 0) return;
  throw new XsndError(
    `${domain.name} has a card ${
      cards[gap].address.card
    }, and no card ${gap}; in a file a card's number is its place in the ` +
      `list, so this one would become ${gap}`,
  );
}

/** What a file has to say of a card; {@link describeCards} for one of them. */
export type DescribedCard = Pick<PresentCard, "shortName" | "longName" | "pcms">;

export function describeCard({ shortName, longName, pcms }: DescribedCard, device: string): unknown {
  const streams = pcms.flatMap((pcm) => pcm.streams);
  const common = PARAM_KEYS.filter((key) => streams.every((stream) => isSame(key, stream, streams[0])));
  return {
    ...(shortName !== undefined && { "short-name": shortName }),
    ...(longName !== undefined && { "long-name": longName }),
    ...(streams.length > 0 && paramsOf(streams[0].effective, common)),
    pcms: pcms.map(({ name, streams }) => ({
      ...(name !== undefined && { name }),
      streams: streams.map(({ type, uniqueId, device: own, denied, effective }) => ({
        ...(type !== undefined && { type }),
        ...(uniqueId !== "" && { "unique-id": uniqueId }),
        device: own ?? device,
        ...(denied && { denied }),
        ...paramsOf(effective, PARAM_KEYS.filter((key) => !common.includes(key))),
      })),
    })),
  };
}

function isSame(
  key: keyof StreamParams,
  { effective: one }: PresentStream,
  { effective: other }: PresentStream,
) {
  return String(one[key]) === String(other[key]);
}

function paramsOf(params: StreamParams, keys: readonly (keyof StreamParams)[]): RawParams {
  return Object.fromEntries(keys.map((key) => [fieldName(key), params[key]]));
}
