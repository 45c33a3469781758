// SPDX-License-Identifier: MIT
/** Prints text, tables and JSON. Escapes control characters, since guests write some of the texts. */
import { STANDARD } from "../../lib/base/standard_file.ts";
import { printable, printableJson, visible } from "../../lib/base/text.ts";

export { count, printable } from "../../lib/base/text.ts";

/** The widest line for people, off a terminal. */
const COLUMNS = 80;
const MIN_COLUMN = 4;
/** The widest line of `--help`. */
const MOST_OF_HELP = 100;

/** Prints a line. */
export function print(line = ""): void {
  console.log(printable(line));
}

/** Prints the line that ends a command which has written to the file `output`: on stderr if that is standard output. */
export function printEnd(output: string, line: string): void {
  if (output === STANDARD) console.error(printable(line));
  else print(line);
}

/** As {@link printEnd}, a JSON document in a line. */
export function printJsonEnd(output: string, value: unknown): void {
  if (output === STANDARD) console.error(printableJson(JSON.stringify(value)));
  else printJsonLine(value);
}

/** Prints a warning or a note on stderr. */
export function warn(text: string): void {
  console.error(`xsnd: ${printable(text)}`);
}

/** Prints one of many lines. Throws BrokenPipe, which console.log hides, when the reader of stdout is gone. */
export function printLine(line = ""): void {
  writeLine(printable(line));
}

function writeLine(line: string): void {
  const octets = new TextEncoder().encode(`${line}\n`);
  for (let done = 0; done < octets.length;) done += Deno.stdout.writeSync(octets.subarray(done));
}

/** Prints a JSON document as one of many lines, with the escapes of {@link printJson}. */
export function printJsonLine(value: unknown): void {
  writeLine(printableJson(JSON.stringify(value)));
}

/** Prints a JSON document. Also escapes the characters of {@link printable} that JSON allows in strings. */
export function printJson(value: unknown): void {
  console.log(printableJson(JSON.stringify(value, null, 2)));
}

/** Prints a text in xl's syntax, which has no escapes. Returns false if a character had to be replaced. */
export function printXl(text: string): boolean {
  const shown = visible(text).trimEnd();
  console.log(shown);
  return shown === text.trimEnd();
}

/** The width of a line for people: the terminal's, or {@link COLUMNS} off a terminal, and on a serial console, which says 0. */
export function columns(): number {
  const width = Deno.stdout.isTerminal() ? Deno.consoleSize().columns : 0;
  return width === 0 ? COLUMNS : Math.max(width, MIN_COLUMN);
}

/** The width of a line of `--help`. Longer lines are harder to read. */
export function helpWidth(): number {
  return Math.min(columns(), MOST_OF_HELP);
}

export interface TableOptions {
  /** The widest line. Cells that do not fit are cut and end in an ellipsis. */
  readonly width?: number;
  /** Spaces between columns. */
  readonly gap?: number;
  /** Headers of right-aligned columns. */
  readonly numbers?: readonly string[];
}

/** Prints a table that fits the terminal. */
export function printTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): void {
  for (const line of tableLines(header, rows, { width: columns(), ...options })) console.log(line);
}

/** The lines of a table, header first. */
export function tableLines(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  { width = COLUMNS, gap = 2, numbers = [] }: TableOptions = {},
): string[] {
  const cells = [header, ...rows].map((row) => row.map(printable));
  const layout = header.map((title, index) => ({
    isNumber: numbers.includes(title),
    width: Math.max(...cells.map((row) => length(row[index] ?? ""))),
  }));
  const gaps = gap * (layout.length - 1);
  while (sum(layout.map(({ width }) => width)) + gaps > width) {
    const widest = layout.reduce((a, b) => b.width > a.width ? b : a);
    if (widest.width <= MIN_COLUMN) break;
    widest.width--;
  }
  return cells.map((row) =>
    layout.map(({ width, isNumber }, index) => fit(row[index] ?? "", width, isNumber))
      .join(" ".repeat(gap)).trimEnd()
  );
}

/** Prints `text` in lines of at most 80 columns, broken at spaces and indented by `indent`. */
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
