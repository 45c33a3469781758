// SPDX-License-Identifier: MIT
/**
 * Matching the streams of a card that `xl` made with the streams of a configuration. xl lets several streams share a unique-id,
 * and published configurations do that, so the id alone does not identify a stream. The rules, in this order:
 *
 * 1. The configured stream of the domain with the same unique-id and direction, if exactly one has both.
 * 2. If several have both, the stream in the same place (CARD/PCM/STREAM). If none is in that place, the n-th of this card for
 *    the frontend's n-th.
 * 3. The configured stream in the same place with the same direction, if the file gives that stream no unique-id.
 *
 * The guest can write the frontend's directory. So the guest can choose among the streams of its own domain, and no others.
 */
import type { Direction } from "../../pcm/pcm.ts";
import { type CardPolicy, streamPlace, type StreamPolicy } from "./card.ts";

/** What identifies a stream of a frontend directory. */
export interface FrontendStreamId {
  /** Undefined if the node holds neither direction. Such a stream matches no configured stream. */
  readonly type: Direction | undefined;
  /** Empty if the directory has none. */
  readonly uniqueId: string;
}

export interface FrontendStreams {
  readonly pcms: readonly { readonly streams: readonly FrontendStreamId[] }[];
}

/** The cards of a domain in a configuration. A card's number is its index. */
export interface ConfiguredCards {
  readonly cards: readonly CardPolicy[];
}

interface PlacedStream {
  readonly card: number;
  /** CARD/PCM/STREAM. */
  readonly place: string;
  /** Whether the file gives the stream no unique-id, so that the place is its id. */
  readonly isNamedByPlace: boolean;
  readonly stream: StreamPolicy;
}

/**
 * The configured stream of each stream of the frontend's card number `card`, by PCM and stream; undefined where none matches.
 * `domains` are the configuration's entries for the guest: at most one by its name and one by its number.
 *
 * @param isOnce whether a configured stream matches at most one stream of the card. This holds for a directory that the guest may
 * have written: the guest gets no more streams than the file has. In a directory of xl's, several streams of one id may share a
 * device on purpose.
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

/** Rules 1 and 2. `alike` are the configured streams with the same id and direction; `before` counts the frontend's earlier ones. */
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

/** The most streams that one warning names. */
const MAX_NAMED = 8;

/**
 * Names the streams of card number `card` of `domain` for which `hasDevice` is false, as `domU/0/0/1 (capture, unique-id "pulse")`:
 * the first 8, and the number of the others.
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
