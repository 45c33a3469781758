// SPDX-License-Identifier: MIT
/** The table of streams that `status` and `top` print. */
import type { Column, Seen } from "../../lib/observe/stream_columns.ts";
import { columns as terminalColumns, tableLines, type TableOptions } from "./output.ts";

interface StreamTableOptions extends TableOptions {
  /** Columns to add on the right, in this order, while all cells fit uncut. */
  readonly extra?: readonly Column[];
}

/** The lines of a table, header first. The default width is the terminal's. */
export function streamTable(
  streams: readonly Seen[],
  columns: readonly Column[],
  { extra = [], width = terminalColumns(), ...options }: StreamTableOptions = {},
): string[] {
  let lines = draw(streams, columns, { ...options, width });
  for (const column of extra) {
    columns = [...columns, column];
    const wider = draw(streams, columns, { ...options, width: Infinity });
    if (wider.some((line) => [...line].length > width)) break;
    lines = wider;
  }
  return lines;
}

function draw(streams: readonly Seen[], columns: readonly Column[], options: TableOptions): string[] {
  const titles = columns.map(({ title }) => title);
  const numbers = columns.filter(({ isNumber }) => isNumber).map(({ title }) => title);
  return tableLines(titles, streams.map((seen) => columns.map(({ cell }) => cell(seen))), {
    ...options,
    numbers,
  });
}
