// SPDX-License-Identifier: MIT
/** The list of `xsnd top`: which streams it shows, in which order, from which one on, and which one is selected. */
import { type Seen, waitingFrames } from "./stream_columns.ts";

/** What the list can be sorted by: the largest number first, and streams of one number by name. */
const SORTS: Readonly<Record<string, (seen: Seen) => number>> = {
  name: () => 0,
  "CPU%": ({ cpuPercent = 0 }) => cpuPercent,
  XRUNS: ({ report }) => report.xruns,
  LAT: ({ report }) => waitingFrames(report) / (report.rate ?? Infinity),
};
const SORT_NAMES = Object.keys(SORTS);
const byName = ({ report: { stream: a } }: Seen, { report: { stream: b } }: Seen) =>
  a < b ? -1 : Number(a > b);

/** A part of the list that fits the screen. */
export interface Page {
  readonly streams: readonly Seen[];
  /** The index in {@link streams} of the selected one; -1 if there is none. */
  readonly selected: number;
  /** Streams before and behind the page. */
  readonly above: number;
  readonly below: number;
}

export class TopList {
  #streams: readonly Seen[] = [];
  #shown: readonly Seen[] = [];
  #sort = 0;
  #filter = "";
  #selected: string | undefined;
  #first = 0;

  get sort(): string {
    return SORT_NAMES[this.#sort]!;
  }

  get filter(): string {
    return this.#filter;
  }

  set filter(text: string) {
    this.#filter = text;
    this.#choose();
  }

  /** Takes the streams of a new view. The selected one stays selected while it is there. */
  show(streams: readonly Seen[]): void {
    this.#streams = streams;
    this.#choose();
  }

  sortByNext(): void {
    this.#sort = (this.#sort + 1) % SORT_NAMES.length;
    this.#choose();
  }

  #choose(): void {
    const value = SORTS[this.sort]!;
    const text = this.#filter.toLowerCase();
    const has = (part: string) => part.toLowerCase().includes(text);
    this.#shown = this.#streams.filter(({ report: { stream, device } }) => has(stream) || has(device))
      .toSorted((a, b) => value(b) - value(a) || byName(a, b));
  }

  /** The selected stream. */
  get selected(): Seen | undefined {
    return this.#shown[this.#index];
  }

  get #index(): number {
    const index = this.#shown.findIndex(({ report }) => report.stream === this.#selected);
    return index < 0 && this.#shown.length > 0 ? 0 : index;
  }

  /** Selects the stream `by` places further down, or up, as far as there are any. */
  move(by: number): void {
    const index = Math.min(Math.max(this.#index + by, 0), this.#shown.length - 1);
    this.#selected = this.#shown[index]?.report.stream;
  }

  /** The page of `rows` streams that has the selected one. */
  page(rows: number): Page {
    const count = Math.max(1, rows);
    const index = Math.max(0, this.#index);
    this.#first = Math.min(Math.max(this.#first, index - count + 1), index);
    this.#first = Math.max(0, Math.min(this.#first, this.#shown.length - count));
    const streams = this.#shown.slice(this.#first, this.#first + count);
    return {
      streams,
      selected: this.#shown.length === 0 ? -1 : index - this.#first,
      above: this.#first,
      below: this.#shown.length - this.#first - streams.length,
    };
  }
}
