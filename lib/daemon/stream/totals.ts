// SPDX-License-Identifier: MIT
/**
 * What was counted of each stream over its former connections. It stays for as long as the backend serves the card, which may
 * be made anew meanwhile, by another policy.
 */
import { createStatusTable, StatusRow } from "../../bridge/stream_status.ts";

/** A row of zeroes that no engine writes to. */
export const newRow = () => new StatusRow(createStatusTable(1), 0);

export class Totals {
  /** By the path of the card's backend directory, and then by stream. */
  readonly #cards = new Map<string, Map<string, StatusRow>>();

  /** The row of stream `name` of the card at `path`: zeroes at first. */
  row(path: string, name: string): StatusRow {
    let rows = this.#cards.get(path);
    if (rows === undefined) this.#cards.set(path, rows = new Map());
    let row = rows.get(name);
    if (row === undefined) rows.set(name, row = newRow());
    return row;
  }

  /** The card at `path` is served no longer: one that comes in its place is another. */
  forget(path: string): void {
    this.#cards.delete(path);
  }
}
