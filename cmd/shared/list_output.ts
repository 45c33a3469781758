// SPDX-License-Identifier: MIT
/** `-o` of the commands that show a list: a table that fits the terminal, the whole table, names, JSON or YAML. */
import { type Command, Option } from "commander";
import { printableYaml } from "../../lib/base/text.ts";
import { print } from "./output.ts";
import { printTable, type TableOptions } from "./table.ts";

const FORMATS = ["wide", "name", "json", "yaml"] as const;

/** Options of {@link withListOutput}. */
export interface ListOptions {
  readonly output?: typeof FORMATS[number];
  readonly headers: boolean;
  readonly json?: boolean;
}

/** A list, as each format shows it. */
export interface List {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly table?: TableOptions;
  /** What each row is called. */
  readonly names: readonly string[];
  /** What is printed where there is nothing. */
  readonly nothing: string;
  readonly document: unknown;
}

/** Adds the options of {@link ListOptions} to `command`. */
export function withListOutput(command: Command): Command {
  return command
    .addOption(
      new Option("-o, --output <format>", "the whole table, names alone, or everything as JSON or YAML")
        .choices(FORMATS),
    )
    .option("--no-headers", "leave the header of the table out")
    .option("--json", "the same as -o json");
}

/** Whether the options ask for JSON. */
export function wantsJson({ output, json }: ListOptions): boolean {
  return json === true || output === "json";
}

/** Prints a list. `printDocument` prints a document as JSON. */
export async function printList(
  list: List,
  options: ListOptions,
  printDocument: (document: unknown) => void,
): Promise<void> {
  const { output, headers } = options;
  if (wantsJson(options)) return printDocument(list.document);
  if (output === "yaml") {
    const { stringify } = await import("yaml");
    return console.log(printableYaml(stringify(list.document, { lineWidth: 0 })).trimEnd());
  }
  if (output === "name") return list.names.forEach((name) => print(name));
  if (list.rows.length === 0) return print(list.nothing);
  printTable(list.header, list.rows, {
    ...list.table,
    headers,
    ...(output === "wide" && { width: Infinity }),
  });
}
