// SPDX-License-Identifier: MIT
/** Tables for people: on a terminal as wide as that, and whole anywhere else. */
import stringWidth from "string-width";
import { printable, terminalColumns } from "./output.ts";

/** The narrowest column with a cut cell. */
const MIN_COLUMN = 4;

export interface TableOptions {
  /** The widest line. Columns that do not fit are left out, and then cells are cut in their middle. By default the terminal's. */
  readonly width?: number;
  /** Spaces between columns. */
  readonly gap?: number;
  /** Headers of right-aligned columns. */
  readonly numbers?: readonly string[];
  /** Whether there is a header; by default there is. */
  readonly headers?: boolean;
  /** Headers of columns that are left out rather than that a cell is cut, in this order. */
  readonly optional?: readonly string[];
}

/** Prints a table that fits the terminal. */
export function printTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  options?: TableOptions,
): void {
  for (const line of tableLines(header, rows, options)) console.log(line);
}

/** The lines of a table, header first. */
export function tableLines(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  { width = terminalColumns() ?? Infinity, gap = 2, numbers = [], headers = true, optional = [] }:
    TableOptions = {},
): string[] {
  const cells = [...(headers ? [header] : []), ...rows].map((row) => row.map(printable));
  let columns = header.map((title, index) => ({
    title,
    index,
    width: Math.max(0, ...cells.map((row) => stringWidth(row[index] ?? ""))),
  }));
  const excess = () => columns.reduce((sum, { width }) => sum + width + gap, -gap) - width;
  for (const title of optional) {
    if (excess() > 0) columns = columns.filter((column) => column.title !== title);
  }
  while (excess() > 0) {
    const widest = columns.reduce((a, b) => b.width > a.width ? b : a);
    if (widest.width <= MIN_COLUMN) break;
    widest.width--;
  }
  return cells.map((row) =>
    columns.map(({ title, index, width }) => fit(row[index] ?? "", width, numbers.includes(title)))
      .join(" ".repeat(gap)).trimEnd()
  );
}

function fit(text: string, width: number, isNumber: boolean): string {
  const shown = cut(text, width);
  const space = " ".repeat(width - stringWidth(shown));
  return isNumber ? space + shown : shown + space;
}

const characters = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Leaves the middle of a text out that is wider than `width`: names differ at their ends. */
function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  const all = [...characters.segment(text)].map(({ segment }) => segment);
  const last = beginning(all.toReversed(), Math.floor((width - 1) / 2)).reverse();
  const first = beginning(all, width - 1 - stringWidth(last.join("")));
  return [...first, "…", ...last].join("");
}

/** As many of the first characters as fit into `width`. */
function beginning(all: readonly string[], width: number): string[] {
  let left = width;
  const end = all.findIndex((character) => (left -= stringWidth(character)) < 0);
  return all.slice(0, end < 0 ? all.length : end);
}
