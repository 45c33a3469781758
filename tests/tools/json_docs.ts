// SPDX-License-Identifier: MIT
/** Writes docs/json.md: the JSON that commands print, from the shapes that tests check the commands against. */
import { z } from "zod";
import * as shapes from "../json_shapes.ts";
import { interfaceDocs } from "./type_docs.ts";

const INTRODUCTION = `# JSON

What \`list\`, \`show\`, \`status\`, \`top\`, \`logs\`, \`trigger\`, \`volume\`, \`mute\` and \`unmute\` print with \`--json\`. \`version\` is the
version of an object's shape: 1 for cards, 2 for streams. \`list\` prints an array without a version; without cards the array is empty.
Fields may be added under the same version. A field that is removed, or that changes its meaning, makes a new version. A field with a
\`?\` may be missing.

This file is made by \`deno task docs\`; tests hold the commands to it.
`;

const WATCH =
  `\`list\`, \`show\` and \`status\` print changes with \`--watch\`. The first line of JSON has everything, and its \`event\` is \`state\`.
Each later line is one change, with the whole card or stream; after \`removed\`, as the card or stream was last. Counters that always
move, from \`positionFrames\` to \`requestMicros\`, make no change of a stream. \`status\` looks ten times a second: a state
that comes and goes between two looks is not printed.
`;

/** What the pages need of a JSON schema. */
export interface Node {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Node[];
  readonly items?: Node;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
}

/** The type of a field in words. */
export function typeOf(node: Node): string {
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(" or ");
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum !== undefined) return node.enum.map((value) => JSON.stringify(value)).join(", ");
  if (node.type === "array") return `array of ${typeOf(node.items!)}`;
  return [node.type ?? "anything"].flat().join(" or ");
}

/** What the types of the control protocol say of their fields. */
const MEANINGS: ReadonlyMap<string, string> = new Map(
  ([["lib/base/percentiles.ts", "Percentiles"], ["lib/control/protocol.ts", "StreamReport"], [
    "lib/control/protocol.ts",
    "StatusReport",
  ]] as const).flatMap(([file, name]) =>
    interfaceDocs(file).get(name)!.fields.map(({ name, meaning }) => [name, meaning] as const)
  ),
);

/** A row for each field, followed by the rows of the fields in it. */
function rows(node: Node, prefix = ""): string[] {
  if (node.type === "array") return rows(node.items!, `${prefix}[]`);
  return Object.entries(node.properties ?? {}).flatMap(([name, field]) => {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    const mark = node.required?.includes(name) ? "" : "?";
    return [
      `| \`${path}${mark}\` | ${typeOf(field)} | ${field.description ?? MEANINGS.get(name) ?? ""} |`,
      ...rows(field, path),
    ];
  });
}

function section(title: string, shape: z.ZodType): string {
  const schema = z.toJSONSchema(shape) as Node;
  return [`## ${title}`, "", "| field | type | meaning |", "| --- | --- | --- |", ...rows(schema), ""].join(
    "\n",
  );
}

/** The page's text, before `deno fmt`. */
export function jsonDocs(): string {
  return [
    INTRODUCTION,
    section("`list --json`", shapes.list),
    section("`show DOMAIN --json`", shapes.show),
    section("a line of `logs --json`", shapes.logLine),
    section("`status --json`, and each line of `top --json`", shapes.status),
    "## `trigger`, `volume`, `mute` and `unmute` with `--json`\n\nThe stream, as in the `streams` of `status --json`.\n",
    `## \`--watch\`\n\n${WATCH}`,
    ...[["state", shapes.statusState], ["added, changed, removed", shapes.statusChange]].map(
      ([event, shape]) => {
        const fields = rows(z.toJSONSchema(shape as z.ZodType) as Node).filter((row) =>
          !/streams?(\[\])?\./.test(row)
        );
        return [
          `\`event\` ${event}, of \`status\`:`,
          "",
          "| field | type | meaning |",
          "| --- | --- | --- |",
          ...fields,
          "",
        ]
          .join("\n");
      },
    ),
    "The lines of `list` and `show` have `cards` and `card` instead of `streams` and `stream`.\n",
  ].join("\n");
}

if (import.meta.main) {
  Deno.writeTextFileSync(new URL("../../docs/json.md", import.meta.url), jsonDocs());
}
