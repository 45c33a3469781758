// SPDX-License-Identifier: MIT
/** Describing cards that are in XenStore as a configuration file would. */
import { XsndError } from "../../base/error.ts";
import type { StreamParams } from "../model/card.ts";
import { DEFAULT_BACKEND } from "../model/card.ts";
import type { PresentCard, PresentStream } from "../nodes/inventory.ts";
import { fieldName, PARAM_KEYS } from "../model/param_nodes.ts";
import type { RawParams } from "./schema.ts";

/**
 * The value of a YAML file with `cards`, at least one and all of one domain. A parameter that is the same for all streams of a
 * card stands at the card, others at the streams: XenStore has only the result of inheritance. A stream without a device, such
 * as one of a card that `xl` made, gets `device`. Throws {@link XsndError} (exit 1) for cards that no file can describe.
 */
export function describeCards(cards: readonly PresentCard[], device: string): unknown {
  const [first] = cards;
  if (first === undefined) throw new RangeError("there is no card to describe");
  const { domain, backend } = first;
  requireDescribable(first, cards);
  return {
    domains: {
      [domain.name]: {
        ...(backend.name !== DEFAULT_BACKEND && backend.domid !== 0 && { backend: backend.name }),
        cards: cards.map((card) => describeCard(card, device)),
      },
    },
  };
}

/** Throws unless the cards are numbered 0, 1, ... and have one backend: a file can express nothing else. */
function requireDescribable({ domain, backend }: PresentCard, cards: readonly PresentCard[]): void {
  const other = cards.find((card) => card.backend.domid !== backend.domid);
  if (other !== undefined) {
    throw new XsndError(
      `card 0 of ${domain.name} is served by ${backend.name}, and card ${other.address.card} by ${other.backend.name}; ` +
        "in a configuration file all cards of a domain have one backend",
    );
  }
  const gap = cards.findIndex(({ address }, index) => address.card !== index);
  const after = cards[gap]?.address.card;
  if (after === undefined) return;
  throw new XsndError(
    `${domain.name} has a card ${after}, and no card ${gap}; in a configuration file a card's number is its place in ` +
      `the list, so card ${after} would become card ${gap}`,
  );
}

/** The parts of a card that a file describes. */
export type DescribedCard = Pick<PresentCard, "shortName" | "longName" | "pcms">;

/** The value of a card in a YAML file; see {@link describeCards}. */
export function describeCard({ shortName, longName, pcms }: DescribedCard, device: string): unknown {
  const streams = pcms.flatMap((pcm) => pcm.streams);
  const [first] = streams;
  const common = PARAM_KEYS.filter((key) =>
    first !== undefined && streams.every((stream) => isSame(key, stream, first))
  );
  return {
    ...(shortName !== undefined && { "short-name": shortName }),
    ...(longName !== undefined && { "long-name": longName }),
    ...(first !== undefined && paramsOf(first.effective, common)),
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
