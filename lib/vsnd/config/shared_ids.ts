// SPDX-License-Identifier: MIT
/**
 * Streams of one domain with the same unique-id. xl accepts them, and published configurations have them: for the C++ backend
 * snd_be the id names the sound system (`unique-id=pulse`) and its device, not the stream.
 */
import { streamPlace } from "../model/card.ts";
import type { DocumentPath, Finding } from "../model/finding.ts";
import type { RawConfig, RawStream } from "./schema.ts";

/** A stream with a shared id. */
interface Bearer {
  readonly path: DocumentPath;
  /** CARD/PCM/STREAM. */
  readonly place: string;
  readonly stream: RawStream;
}

/** An id that several streams of a domain share, with those streams in the order of the file. */
export interface SharedId {
  readonly uniqueId: string;
  readonly bearers: readonly [Bearer, Bearer, ...Bearer[]];
}

/** The ids of `config` that several streams of one domain share. */
export function sharedIds(config: RawConfig): SharedId[] {
  return Object.entries(config.domains).flatMap(([domain, { cards }]) => {
    const bearers = cards.flatMap(({ pcms }, c) =>
      pcms.flatMap(({ streams }, p) =>
        streams.map((stream, s): Bearer => ({
          path: ["domains", domain, "cards", c, "pcms", p, "streams", s],
          place: streamPlace(c, p, s),
          stream,
        }))
      )
    );
    const byId = Map.groupBy(bearers, ({ stream, place }) => stream["unique-id"] ?? place);
    return [...byId].flatMap(([uniqueId, [first, second, ...others]]) =>
      first === undefined || second === undefined ? [] : [{ uniqueId, bearers: [first, second, ...others] }]
    );
  });
}

/** A note about each shared id, which is allowed and may surprise. `nameOf` names a place, as in check_document.ts. */
export function notesOfShared(config: RawConfig, nameOf: (path: DocumentPath) => string): Finding[] {
  return sharedIds(config).map(({ uniqueId, bearers: [{ path: first }, { path }, ...others] }) => ({
    path: [...path, "unique-id"],
    what: `${JSON.stringify(uniqueId)} is also the unique-id of ${nameOf(first)}${
      others.length === 0 ? "" : ` and of ${others.length} more`
    }`,
    why: "xl allows a shared id, and `xsnd serve` tells the streams apart by direction and place",
  }));
}

/**
 * Replaces each shared unique-id by the stream's place: `serve --config` then finds the stream of a card of xl's by its place.
 * Returns the ids that were replaced.
 */
export function nameByPlace(config: RawConfig): SharedId[] {
  const changed: SharedId[] = [];
  // A place may be the id of another stream, which then gets its own place. The loop ends because no two streams have one place.
  for (let shared = sharedIds(config); shared.length > 0; shared = sharedIds(config)) {
    for (const { bearers } of shared) for (const { stream, place } of bearers) stream["unique-id"] = place;
    changed.push(...shared);
  }
  return changed;
}
