// SPDX-License-Identifier: MIT
/** Places of an xl configuration, and what is noted about each while the file is read. */
import type { DocumentPath, Finding } from "../model/finding.ts";

/** Something of the file: where it is, and how it is called in xl's terms. */
export interface Place {
  readonly offset: number;
  readonly path: DocumentPath;
}

export type PlacedFinding = Finding & { readonly offset: number };

export interface XlDefaults {
  /** The domain of a file that names none. */
  readonly domain: string;
  /** The device of a stream that has none in a comment. */
  readonly device: string;
}

/** What the reader of a card's items notes about the file as a whole. */
export interface ItemNotes {
  readonly defaults: XlDefaults;
  /** What xl takes, and the guest's driver then does not. */
  readonly hazards: PlacedFinding[];
  /** Streams that got the default device. */
  deviceless: number;
  /** Notes that the value at `path` comes from `place`. */
  place(path: DocumentPath, place: Place): void;
  find(place: Place, what: string, why: string, instead: string): void;
}
