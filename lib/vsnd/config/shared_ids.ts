// SPDX-License-Identifier: MIT
/**
 * Streams of one domain with the same unique-id. xl takes them, and published configurations have them: to the C++ backend
 * snd_be the id is not a name but the sound system (`unique-id=pulse`) and its device.
 */
import { streamPlace } from "../model/card.ts";
import type { DocumentPath, Finding } from "../model/finding.ts";
import type { RawConfig, RawStream } from "./schema.ts";

interface Bearer {
  readonly path: DocumentPath;
  /** CARD/PCM/STREAM. */
  readonly place: string;
  readonly stream: RawStream;
}

/** An id that several streams of a domain have, and which streams those are, in the order of the file. */
export interface SharedId {
  readonly uniqueId: string;
  readonly bearers: readonly Bearer[];
}

/** The ids of `config` that several streams of a domain have. */
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
    return [...byId].filter(([, { length }]) => length > 1)
      .map(([uniqueId, bearers]) => ({ uniqueId, bearers }));
  });
}

/** What is worth knowing of each shared id, though nothing is wrong; `nameOf` as for `judge`. */
export function notesOfShared(config: RawConfig, nameOf: (path: DocumentPath) => string): Finding[] {
  return sharedIds(config).map(({ uniqueId, bearers: [{ path: first }, { path }, ...others] }) => ({
    path: [...path, "unique-id"],
    what: `${JSON.stringify(uniqueId)} is also the unique-id of ${nameOf(first)}${
      others.length === 0 ? "" : ` and of ${others.length} more`
    }`,
    why: "xl allows that, and `xsnd serve` tells these streams apart by direction and place",
  }));
}

/**
 * Gives each stream that shares its unique-id an own one, which is its place: `serve --config` finds the stream of the card
 * that `xl` makes by that place. Returns what it changed.
 */
export function nameByPlace(config: RawConfig): SharedId[] {
  const changed: SharedId[] = [];
  // a place can be the id of another stream, which then gets its own place; no place is given twice
  for (let shared = sharedIds(config); shared.length > 0; shared = sharedIds(config)) {
    for (const { bearers } of shared) for (const { stream, place } of bearers) stream["unique-id"] = place;
    changed.push(...shared);
  }
  return changed;
}
