/** Printing for commands: tables for people, JSON for programs; both safe for texts that a guest wrote. */
import { escapeCharacter, printable } from "../lib/text.ts";

export { count, printable } from "../lib/text.ts";

/** The widest that a line for people gets. */
const COLUMNS = 80;
const MIN_COLUMN = 4;

/** Prints a line for people, or for programs that take lines. */
export function print(line = ""): void {
  console.log(printable(line));
}

/** Prints one JSON document. JSON itself allows DEL and the C1 controls in strings; here they are escaped, too. */
export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, null, 2).replace(/[\u007f-\u009f]/g, escapeCharacter));
}

/** Prints rows under a header, in columns that together fit 80; what does not fit ends in an ellipsis. */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const cells = [header, ...rows].map((row) => row.map(printable));
  const widths = header.map((_, column) => Math.max(...cells.map((row) => length(row[column]))));
  const gaps = 2 * (widths.length - 1);
  while (sum(widths) + gaps > COLUMNS) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest] <= MIN_COLUMN) break;
    widths[widest]--;
  }
  for (const row of cells) {
    console.log(row.map((cell, column) => fit(cell, widths[column])).join("  ").trimEnd());
  }
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

function fit(text: string, width: number): string {
  const characters = [...text];
  return characters.length > width
    ? `${characters.slice(0, width - 1).join("")}…`
    : text + " ".repeat(width - characters.length);
}
