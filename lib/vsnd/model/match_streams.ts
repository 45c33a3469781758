// SPDX-License-Identifier: MIT
/**
 * Which configured stream a stream of a card made by `xl` is. xl lets any number of streams have the same unique-id, and
 * published configurations use that; so the id alone names no stream. In this order:
 *
 * 1. The configured stream of the domain with the same unique-id and direction, if there is one only.
 * 2. Of several, the one in the same place (CARD/PCM/STREAM); where none is, the n-th of this card for the frontend's n-th.
 * 3. The configured stream in the same place with the same direction, if the place is all its name: the file gives it no
 *    unique-id of its own.
 *
 * The frontend's side is what the guest can write. It chooses among what its own domain was given, and nothing else.
 */
import type { Direction } from "../../pcm/pcm.ts";
import { type CardPolicy, streamPlace, type StreamPolicy } from "./card.ts";

/** What tells a stream of a frontend directory from others. */
export interface FrontendStreamId {
  /** Undefined if the node says neither; no configured stream matches then. */
  readonly type: Direction | undefined;
  /** Empty if there is none. */
  readonly uniqueId: string;
}

export interface FrontendStreams {
  readonly pcms: readonly { readonly streams: readonly FrontendStreamId[] }[];
}

/** The cards of one domain's entry in a configuration; a card's number is its index. */
export interface ConfiguredCards {
  readonly cards: readonly CardPolicy[];
}

interface PlacedStream {
  readonly card: number;
  /** CARD/PCM/STREAM. */
  readonly place: string;
  /** Whether the file gives it no unique-id but that. */
  readonly isNamedByPlace: boolean;
  readonly stream: StreamPolicy;
}

/**
 * For each stream of the frontend's card number `card`, by PCM and stream, its configured stream, or undefined. `domains` are
 * the entries that configure the guest: one by its name, one by its number.
 *
 * @param isOnce whether a configured stream is one stream of the card at most: a guest that wrote its directory itself has as many as
 * the file names. xl's administrator may have meant one device for several streams of one id.
 */
export function matchStreams(
  card: number,
  frontend: FrontendStreams,
  domains: readonly ConfiguredCards[],
  isOnce = false,
): (StreamPolicy | undefined)[][] {
  const configured = domains.flatMap(({ cards }) => cards.flatMap((each, index) => placed(index, each)));
  const seen = new Map<string, number>();
  const taken = new Set<StreamPolicy>();
  return frontend.pcms.map(({ streams }, pcm) =>
    streams.map(({ type, uniqueId }, stream) => {
      if (type === undefined) return undefined;
      const key = `${type} ${uniqueId}`;
      const before = seen.get(key) ?? 0;
      seen.set(key, before + 1);
      const place = streamPlace(card, pcm, stream);
      const sameType = configured.filter((one) => one.stream.type === type);
      const alike = sameType.filter((one) => !one.isNamedByPlace && one.stream.uniqueId === uniqueId);
      const found = byId(alike, card, place, before) ??
        sameType.find((one) => one.isNamedByPlace && one.place === place);
      if (found === undefined || isOnce && taken.has(found.stream)) return undefined;
      taken.add(found.stream);
      return found.stream;
    })
  );
}

/** The one meant of configured streams with the same id and direction; `before` counts the frontend's earlier ones. */
function byId(
  alike: readonly PlacedStream[],
  card: number,
  place: string,
  before: number,
): PlacedStream | undefined {
  if (alike.length < 2) return alike[0];
  return alike.find((one) => one.place === place) ?? alike.filter((one) => one.card === card)[before];
}

function placed(card: number, { pcms }: CardPolicy): PlacedStream[] {
  return pcms.flatMap(({ streams }, pcm) =>
    streams.map((stream, index) => {
      const place = streamPlace(card, pcm, index);
      return { card, place, isNamedByPlace: stream.uniqueId === place, stream };
    })
  );
}

/** Streams that one warning names. */
const MAX_NAMED = 8;

/**
 * Names the streams of card number `card` of `domain` for which `hasDevice` says no:
 * `domU/0/0/1 (capture, unique-id "pulse")`. The first 8, and how many more.
 */
export function nameDeviceless(
  domain: string,
  card: number,
  { pcms }: FrontendStreams,
  hasDevice: (pcm: number, stream: number) => boolean,
): string {
  const names = pcms.flatMap(({ streams }, pcm) =>
    streams.flatMap(({ type, uniqueId }, stream) =>
      hasDevice(pcm, stream) ? [] : [
        `${domain}/${streamPlace(card, pcm, stream)} (${type ?? "neither playback nor capture"}, ${
          uniqueId === "" ? "no unique-id" : `unique-id ${JSON.stringify(uniqueId)}`
        })`,
      ]
    )
  );
  const more = names.length - MAX_NAMED;
  return [...names.slice(0, MAX_NAMED), ...(more > 0 ? [`${more} more`] : [])].join(", ");
}
