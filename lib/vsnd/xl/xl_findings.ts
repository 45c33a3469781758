// SPDX-License-Identifier: MIT
/** Places in an xl configuration, and the findings that its readers record about them. */
import type { DocumentPath, Finding } from "../model/finding.ts";

/** A place in the file: its offset, and its path in xl's terms, such as vsnd[0][1].type. */
export interface Place {
  readonly offset: number;
  readonly path: DocumentPath;
}

export type PlacedFinding = Finding & { readonly offset: number };

export interface XlDefaults {
  /** The domain for a file that names none. */
  readonly domain: string;
  /** The device for a stream without a device in a comment. */
  readonly device: string;
}

/** The recorder of findings and places that the reader of a card's items writes to. */
export interface ItemNotes {
  readonly defaults: XlDefaults;
  /** Values that xl takes and the guest's driver does not. */
  readonly hazards: PlacedFinding[];
  /** The number of streams that got the default device. */
  deviceless: number;
  /** Records that the value at `path` comes from `place`. */
  place(path: DocumentPath, place: Place): void;
  find(place: Place, what: string, why: string, instead: string): void;
}
