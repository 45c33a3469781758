// SPDX-License-Identifier: MIT
/** Prints text and JSON. Escapes control characters, since guests write some of the texts. */
import { STANDARD } from "../../lib/base/standard_file.ts";
import { COLUMNS, printable, printableJson, visible, wrapped as wrappedAt } from "../../lib/base/text.ts";

export { count, printable } from "../../lib/base/text.ts";

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

/** The width of the terminal, undefined off a terminal. A serial console that says 0 counts as {@link COLUMNS}. */
export function terminalColumns(): number | undefined {
  return Deno.stdout.isTerminal() ? Deno.consoleSize().columns || COLUMNS : undefined;
}

/** The width of a line of `--help`. Longer lines are harder to read. */
export function helpWidth(): number {
  return Math.min(terminalColumns() ?? COLUMNS, MOST_OF_HELP);
}

/** Lines of at most 80 columns that fit the terminal, broken at spaces, each behind `indent`. */
export function wrapped(text: string, indent: string): string[] {
  return wrappedAt(text, indent, Math.min(terminalColumns() ?? COLUMNS, COLUMNS));
}

/** Prints the lines of {@link wrapped}. */
export function printWrapped(text: string, indent: string): void {
  for (const line of wrapped(text, indent)) console.log(line);
}
