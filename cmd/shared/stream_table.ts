// SPDX-License-Identifier: MIT
/** The table of streams that `status` and `top` print. */
import { type Column, type Seen, STREAM_COLUMNS as COLUMN } from "../../lib/observe/stream_columns.ts";
import { tableLines, type TableOptions } from "./table.ts";

/** What a narrow terminal leaves out first. */
const OPTIONAL = [
  COLUMN.events,
  COLUMN.type,
  COLUMN.format,
  COLUMN.wait,
  COLUMN.channels,
  COLUMN.period,
  COLUMN.rate,
  COLUMN.device,
  COLUMN.position,
  COLUMN.latency,
].map(({ title }) => title);

/** The parts of a table of streams. */
export function streamTable(streams: readonly Seen[], columns: readonly Column[]): StreamTable {
  return {
    header: columns.map(({ title }) => title),
    rows: streams.map((seen) => columns.map(({ cell }) => cell(seen))),
    table: {
      numbers: columns.filter(({ isNumber }) => isNumber).map(({ title }) => title),
      optional: OPTIONAL,
    },
  };
}

export interface StreamTable {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly table: TableOptions;
}

/** The lines of a table of streams, header first. The default width is the terminal's. */
export function streamLines(
  streams: readonly Seen[],
  columns: readonly Column[],
  options?: TableOptions,
): string[] {
  const { header, rows, table } = streamTable(streams, columns);
  return tableLines(header, rows, { ...table, ...options });
}
