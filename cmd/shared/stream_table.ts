// SPDX-License-Identifier: MIT
/** The table of streams that `status` and `top` print. */
import { type Column, type Seen, STREAM_COLUMNS as COLUMN } from "../../lib/observe/stream_columns.ts";
import { tableLines, type TableOptions } from "./table.ts";

/** What a narrow terminal leaves out first. */
const OPTIONAL = [
  COLUMN.events,
  COLUMN.type,
  COLUMN.format,
  COLUMN.channels,
  COLUMN.period,
  COLUMN.rate,
  COLUMN.device,
  COLUMN.position,
  COLUMN.latency,
].map(({ title }) => title);

/** The lines of a table, header first. The default width is the terminal's. */
export function streamTable(
  streams: readonly Seen[],
  columns: readonly Column[],
  options?: TableOptions,
): string[] {
  const titles = columns.map(({ title }) => title);
  const numbers = columns.filter(({ isNumber }) => isNumber).map(({ title }) => title);
  const cells = streams.map((seen) => columns.map(({ cell }) => cell(seen)));
  return tableLines(titles, cells, { ...options, numbers, optional: OPTIONAL });
}
