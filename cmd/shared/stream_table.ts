// SPDX-License-Identifier: MIT
/** Streams as a table, for `status` and `top`. */
import type { Column, Seen } from "../../lib/observe/stream_columns.ts";
import { columns as terminalColumns, tableLines, type TableOptions } from "./output.ts";

interface StreamTableOptions extends TableOptions {
  /** Columns to be shown besides, in this order, as long as nothing has to be cut for them. */
  readonly extra?: readonly Column[];
}

/** The lines of a table with these columns, the header's first, as wide as the terminal unless told. */
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
