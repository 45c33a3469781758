// SPDX-License-Identifier: MIT
/**
 * The counters of each stream's former connections. They stay for as long as the card is there, also if another policy makes the card
 * anew, or has it not served for a while.
 */
import { createStatusTable, StatusRow } from "../../bridge/stream_status.ts";

/** A row of zeros that no engine writes. */
export const newRow = () => new StatusRow(createStatusTable(1), 0);

export class Totals {
  /** By the path of the card's backend directory, then by stream. */
  readonly #cards = new Map<string, Map<string, StatusRow>>();

  /** The row of stream `name` of the card at `path`: zeros at first. */
  row(path: string, name: string): StatusRow {
    let rows = this.#cards.get(path);
    if (rows === undefined) this.#cards.set(path, rows = new Map());
    let row = rows.get(name);
    if (row === undefined) rows.set(name, row = newRow());
    return row;
  }

  /** The cards that have a row, by the path of their backend directory. */
  get paths(): Iterable<string> {
    return this.#cards.keys();
  }

  /** The card at `path` is there no longer: a card that takes its place is another one. */
  forget(path: string): void {
    this.#cards.delete(path);
  }
}
