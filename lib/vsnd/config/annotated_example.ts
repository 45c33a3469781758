// SPDX-License-Identifier: MIT
/** A whole configuration with every key, and what each means: for people who start from an example. */
import { stringify } from "yaml";
import { wrapped } from "../../base/text.ts";
import { fieldName, PARAM_KEYS } from "../model/param_nodes.ts";
import { type ConfigKey, describeKey } from "./key_table.ts";

/** The widest line. */
const COLUMNS = 100;

const HEAD =
  "Sound cards of Xen guests, as `xsnd provision -f`, `xsnd serve --config` and `xsnd check` read them. Keys behind # are " +
  "optional: take the # away to set them. xsnd.yaml(5) has the whole of it.";

/** Keys that card, PCM and stream share. */
const PARAMETERS = PARAM_KEYS.map(fieldName) as ConfigKey[];

/** The text of the example: YAML that `xsnd check` accepts. */
export function annotatedExample(): string {
  const pcm = "                ";
  return [
    ...comment("", HEAD),
    "",
    ...optional("", "defaults"),
    "",
    ...key("", "domains"),
    "  domU:",
    ...optional("    ", "backend"),
    "",
    ...optional("    ", "defaults"),
    "",
    ...key("    ", "cards"),
    ...item("      ", "short-name"),
    ...optional("        ", "long-name"),
    ...PARAMETERS.flatMap((name) => ["", ...optional("        ", name)]),
    "",
    ...key("        ", "pcms"),
    ...item("          ", "name"),
    "",
    ...key("            ", "streams"),
    ...item("              ", "type"),
    "",
    ...described(pcm, "device"),
    `${pcm}device: ${shown(describeKey("device").example)}`,
    "",
    ...optional(pcm, "unique-id"),
    "",
    ...optional(pcm, "denied"),
    "",
    ...optional(pcm, "volume"),
    "",
    ...optional(pcm, "muted"),
    "",
    ...comment(pcm, `${PARAMETERS.join(", ")}: as of the card, to narrow them.`),
    "",
    ...comment("              ", "A second stream: what the guest records."),
    '              - { type: capture, device: "hw:0,0" }',
    "",
  ].join("\n");
}

/** A key that stands, whose value follows on the next lines. */
function key(indent: string, name: ConfigKey): string[] {
  return [...described(indent, name), `${indent}${name}:`];
}

/** A key that begins an item of a list. */
function item(indent: string, name: ConfigKey): string[] {
  return [...described(indent, name), `${indent}- ${name}: ${shown(describeKey(name).example)}`];
}

/** A key that may be left out. */
function optional(indent: string, name: ConfigKey): string[] {
  return [...described(indent, name), `${indent}# ${name}: ${shown(describeKey(name).example)}`];
}

function described(indent: string, name: ConfigKey): string[] {
  const { meaning, default: missing } = describeKey(name) as { meaning: string; default?: string };
  return comment(indent, missing === undefined ? meaning : `${meaning} Default: ${missing}.`);
}

function comment(indent: string, text: string): string[] {
  return wrapped(text, `${indent}# `, COLUMNS);
}

function shown(value: unknown): string {
  return stringify(value, { collectionStyle: "flow", flowCollectionPadding: false, lineWidth: 0 }).trimEnd();
}
