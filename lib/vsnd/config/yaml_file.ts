// SPDX-License-Identifier: MIT
/** Reading a configuration in YAML. Each finding has its line and column. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  type ParsedNode,
  parseDocument,
  type YAMLMap,
} from "yaml";
import type { Config } from "../model/card.ts";
import type { DocumentPath, Finding, LocatedFinding } from "../model/finding.ts";
import { positionOf } from "../xl/syntax.ts";
import { checkDocument } from "./check_document.ts";
import { ConfigError, MAX_LOCATED, refuseForeign } from "./config_error.ts";
import { readConfigText } from "./config_text.ts";
import { foreignText } from "./file_kind.ts";
import { excessOf } from "./yaml_bounds.ts";
import { MERGE, withoutYamlKeys } from "./merge_keys.ts";
import {
  aliasFinding,
  repeatedKeys,
  TOO_MANY_ALIASES,
  type YamlFinding,
  yamlFinding,
} from "./yaml_errors.ts";

/** The most values that aliases may stand for in all: people need a few, and a few lines of aliases can stand for gigabytes. */
const MAX_ALIASES = 100;

/**
 * Reads and checks a file. Throws {@link ConfigError}, or {@link XsndError} (exit 6) if the file cannot be read.
 *
 * @example
 * ```ts
 * import { loadConfig } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * const path = await Deno.makeTempFile({ suffix: ".yaml" });
 * await Deno.writeTextFile(path, "domains: {domU: {cards: [{pcms: [{streams: [{type: playback, device: hw}]}]}]}}");
 * assert.equal(loadConfig(path).get("domU")?.cards.length, 1);
 * await Deno.remove(path);
 * ```
 */
export function loadConfig(file: string): Config {
  return parseConfig(readConfigText(file), file);
}

/**
 * Parses and checks `text`, the content of `file`. Throws {@link ConfigError} with all findings.
 *
 * @example
 * ```ts
 * import { parseConfig } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * const text = "domains: {domU: {cards: [{pcms: [{streams: [{type: capture, device: 'dummy:'}]}]}]}}";
 * assert.equal(parseConfig(text, "guests.yaml").get("domU")?.cards[0]?.pcms[0]?.streams[0]?.type, "capture");
 * ```
 */
export function parseConfig(text: string, file: string): Config {
  return readYaml(text, file).config;
}

/** A configuration without errors, which still knows its file's lines. */
export interface CheckedConfig {
  readonly config: Config;
  /** What may surprise, though nothing is wrong. */
  readonly notes: readonly LocatedFinding[];
  /** Gives a later finding, such as one about a device, its line and column. */
  locate(finding: Finding): LocatedFinding;
}

/** Like {@link parseConfig}, and keeps the places of values for further findings. */
export function readYaml(text: string, file: string): CheckedConfig {
  refuseForeign(foreignText(text, file, "YAML"), file);
  const excess = excessOf(text);
  if (excess !== undefined) {
    const { offset, what, ...rest } = excess;
    throw new ConfigError(file, [{
      path: [],
      what: `not YAML that can be read: ${what}`,
      ...rest,
      ...positionOf(text, offset),
    }]);
  }
  try {
    return parseBounded(text, file);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const what = "not YAML that can be read: parsing needs more stack than there is";
    const instead = "write fewer levels, and fewer aliases of aliases";
    throw new ConfigError(file, [{ path: [], what, instead, line: 1, column: 1 }]);
  }
}

/** Throws {@link ConfigError}, or RangeError if the stack overflows. */
function parseBounded(text: string, file: string): CheckedConfig {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: false,
  });
  const at = (finding: Finding, offset: number): LocatedFinding => {
    const { line, col } = lineCounter.linePos(offset);
    return { ...finding, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const locate = (finding: Finding) => at(finding, offsetOf(document, finding.path));
  const fail = (findings: readonly Finding[]): never => {
    throw new ConfigError(file, findings.slice(0, MAX_LOCATED).map(locate), findings.length);
  };

  const broken = [...document.errors, ...document.warnings];
  const unread = (findings: readonly YamlFinding[], count: number): never => {
    throw new ConfigError(file, findings.map(({ offset, ...finding }) => at(finding, offset)), count);
  };
  const repeated = repeatedKeys(document, text);
  if (broken.length + repeated.length > 0) {
    const findings = broken.slice(0, MAX_LOCATED).map((error) => yamlFinding(error, text));
    unread([...findings, ...repeated].slice(0, MAX_LOCATED), broken.length + repeated.length);
  }
  const value = toValue(document, (finding) => unread([finding], 1));
  const checked = checkDocument(value);
  if ("findings" in checked) return fail(checked.findings);
  return { config: checked.config, notes: checked.notes.map(locate), locate };
}

function toValue(document: Document.Parsed, fail: (finding: YamlFinding) => never): unknown {
  const finding = aliasFinding(document);
  if (finding !== undefined) fail(finding);
  try {
    return withoutYamlKeys(document.toJS({ maxAliasCount: MAX_ALIASES }));
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    return fail(TOO_MANY_ALIASES);
  }
}

/** The offset of the key or value at `path`. If there is neither, the offset of the nearest value around. */
function offsetOf(document: Document.Parsed, path: DocumentPath): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node) && typeof part === "number") {
      node = node.items[part];
    } else if (isMap(node)) {
      const pair = pairOf(document, node, String(part));
      offset = startOf(pair?.key) ?? offset;
      node = pair?.value;
      continue;
    }
    offset = startOf(node) ?? offset;
  }
  return offset;
}

/** The pair with the key `name` in `map`, or in a map that is merged into it. */
function pairOf(document: Document.Parsed, map: YAMLMap, name: string): Pair | undefined {
  const own = (wanted: string) =>
    map.items.find(({ key }) => isScalar(key) && String(key.value) === wanted) as Pair | undefined;
  const pair = own(name);
  const merged = own(MERGE)?.value;
  if (pair !== undefined || merged === undefined) return pair;
  const meant = (node: unknown) => isAlias(node) ? node.resolve(document) : node;
  const sources = isSeq(merged) ? merged.items : [merged];
  for (const source of sources.map(meant)) {
    const found = isMap(source) ? pairOf(document, source, name) : undefined;
    if (found !== undefined) return found;
  }
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as ParsedNode).range[0] : undefined;
}
