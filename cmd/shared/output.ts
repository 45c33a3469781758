// SPDX-License-Identifier: MIT
/** Printing for commands: tables for people, JSON for programs; both safe for texts that a guest wrote. */
import { printable, printableJson, visible } from "../../lib/base/text.ts";

export { count, printable } from "../../lib/base/text.ts";

/** The widest that a line for people gets. */
const COLUMNS = 80;
const MIN_COLUMN = 4;

/** Prints a line for people, or for programs that take lines. */
export function print(line = ""): void {
  console.log(printable(line));
}

/** Prints a line of many. Throws BrokenPipe, which console.log hides, once nobody reads them any more. */
export function printLine(line = ""): void {
  writeLine(printable(line));
}

function writeLine(line: string): void {
  const octets = new TextEncoder().encode(`${line}\n`);
  for (let done = 0; done < octets.length;) done += Deno.stdout.writeSync(octets.subarray(done));
}

/** Prints a JSON document as a line of many, with the escapes of {@link printJson}. */
export function printJsonLine(value: unknown): void {
  writeLine(printableJson(JSON.stringify(value)));
}

/** Prints one JSON document. In its strings JSON allows most of what {@link printable} escapes; here that is escaped, too. */
export function printJson(value: unknown): void {
  console.log(printableJson(JSON.stringify(value, null, 2)));
}

/** Prints a text in xl's syntax, which has no escapes; whether all of it could be printed. */
export function printXl(text: string): boolean {
  const shown = visible(text).trimEnd();
  console.log(shown);
  return shown === text.trimEnd();
}

/** How wide a line for people may be here: as the terminal is, and {@link COLUMNS} off one. */
export function columns(): number {
  return Deno.stdout.isTerminal() ? Math.max(Deno.consoleSize().columns, MIN_COLUMN) : COLUMNS;
}

export interface TableOptions {
  /** Where the lines end; what does not fit ends in an ellipsis. */
  readonly width?: number;
  /** Spaces between columns. */
  readonly gap?: number;
  /** Headers of the columns of numbers, which are aligned at their ends. */
  readonly numbers?: readonly string[];
}

/** Prints rows under a header, in columns that together fit the terminal. */
export function printTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): void {
  for (const line of tableLines(header, rows, { width: columns(), ...options })) console.log(line);
}

/** The lines of a table, the header's first. */
export function tableLines(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  { width = COLUMNS, gap = 2, numbers = [] }: TableOptions = {},
): string[] {
  const cells = [header, ...rows].map((row) => row.map(printable));
  const widths = header.map((_, column) => Math.max(...cells.map((row) => length(row[column]))));
  const gaps = gap * (widths.length - 1);
  while (sum(widths) + gaps > width) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest] <= MIN_COLUMN) break;
    widths[widest]--;
  }
  return cells.map((row) =>
    row.map((cell, column) => fit(cell, widths[column], numbers.includes(header[column])))
      .join(" ".repeat(gap)).trimEnd()
  );
}

/** Prints `text`, broken at spaces into lines of at most 80 columns that begin with `indent`. */
export function printWrapped(text: string, indent: string): void {
  for (const line of wrapped(text, indent)) console.log(line);
}

/** The lines that {@link printWrapped} prints. */
export function wrapped(text: string, indent: string): string[] {
  const lines = [indent];
  for (const word of printable(text).split(" ")) {
    const line = lines.at(-1)!;
    if (line === indent) lines[lines.length - 1] += word;
    else if (length(line) + 1 + length(word) > COLUMNS) lines.push(indent + word);
    else lines[lines.length - 1] += ` ${word}`;
  }
  return lines;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function length(text: string): number {
  return [...text].length;
}

function fit(text: string, width: number, isNumber: boolean): string {
  const characters = [...text];
  if (characters.length > width) return `${characters.slice(0, width - 1).join("")}…`;
  const space = " ".repeat(width - characters.length);
  return isNumber ? space + text : text + space;
}
