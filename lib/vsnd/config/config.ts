// SPDX-License-Identifier: MIT
/** Reading a configuration file: YAML, its shape, its rules; every finding with line and column. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
} from "yaml";
import { Exit, XsndError } from "../../base/error.ts";
import { decodeText, NotUtf8, readBeginning } from "../../base/text_file.ts";
import type { Config } from "../model/card.ts";
import { foreignOctets, foreignText } from "./file_kind.ts";
import { type DocumentPath, type Finding, formatFinding, type LocatedFinding } from "../model/finding.ts";
import { judge } from "./judge.ts";
import { positionOf } from "../xl/syntax.ts";
import { excessOf } from "./yaml_bounds.ts";
import {
  aliasFinding,
  repeatedKeys,
  TOO_MANY_ALIASES,
  type YamlFinding,
  yamlFinding,
} from "./yaml_errors.ts";

/** The most octets of a file that is read at all. */
const MAX_FILE_OCTETS = 1024 * 1024;
/** How often aliases may be used in all: enough for people, too few to blow a small file up. */
const MAX_ALIASES = 100;

/** Findings that are told of a file: more would help nobody. */
const MAX_FINDINGS = 100;
/** Findings whose place in the file is looked up, so that the first of them can be told. */
export const MAX_LOCATED = 1000;

/** A configuration file that is not right: one line of the message for each finding. */
export class ConfigError extends XsndError {
  override name = "ConfigError";
  /** In the order of the file, at most {@link MAX_FINDINGS}. */
  readonly findings: readonly LocatedFinding[];

  /** @param count how many there are in all, if `findings` are not all */
  constructor(readonly file: string, findings: readonly LocatedFinding[], count = findings.length) {
    const sorted = findings.toSorted((a, b) => a.line - b.line || a.column - b.column).slice(0, MAX_FINDINGS);
    const lines = sorted.map((finding) => formatFinding(file, finding));
    if (count > sorted.length) lines.push(`${file}: and ${count - sorted.length} more; mend these first`);
    super(lines.join("\n"), Exit.badConfiguration);
    this.findings = sorted;
  }
}

/** Reads and checks a file. Throws {@link ConfigError}, or {@link XsndError} (exit 6) if it cannot be read. */
export function loadConfig(file: string): Config {
  return parseConfig(readFile(file), file);
}

/**
 * The text of a file. Throws {@link XsndError} (exit 6) if it cannot be read, {@link ConfigError} if it holds no text, or one that is
 * not UTF-8.
 */
export function readFile(file: string): string {
  const options = { what: "the configuration", most: MAX_FILE_OCTETS, exitCode: Exit.badConfiguration };
  const octets = readBeginning(file, options);
  refuseForeign(foreignOctets(octets, file), file);
  if (octets.length > MAX_FILE_OCTETS) {
    const why = `it has more than ${MAX_FILE_OCTETS} octets`;
    throw new XsndError(`${file} is no configuration: ${why}`, Exit.badConfiguration);
  }
  try {
    return decodeText(octets);
  } catch (error) {
    if (!(error instanceof NotUtf8)) throw error;
    const { message, line, column } = error;
    const why = "a guest would get other names than are meant";
    const instead = "save the file as UTF-8; iconv(1) converts";
    throw new ConfigError(file, [{ path: [], what: message, why, instead, line, column }]);
  }
}

/** Throws {@link ConfigError} if there is a finding about the file as a whole. */
export function refuseForeign(finding: Finding | undefined, file: string): void {
  if (finding !== undefined) throw new ConfigError(file, [{ ...finding, line: 1, column: 1 }]);
}

/** Checks the text of a file called `file`. Throws {@link ConfigError} with all that is wrong. */
export function parseConfig(text: string, file: string): Config {
  return readYaml(text, file).config;
}

/** A configuration that is right, and where things are in its file. */
export interface CheckedConfig {
  readonly config: Config;
  /** What may surprise, though it is not wrong. */
  readonly notes: readonly LocatedFinding[];
  locate(finding: Finding): LocatedFinding;
}

/** The same, for whoever has more to say of it. */
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
    const what = "not YAML that can be read: the stack does not suffice for it";
    const instead = "write fewer levels, and fewer aliases of aliases";
    throw new ConfigError(file, [{ path: [], what, instead, line: 1, column: 1 }]);
  }
}

/** Throws {@link ConfigError}; RangeError if the stack does not suffice. */
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
  const verdict = judge(value);
  if ("findings" in verdict) return fail(verdict.findings);
  return { config: verdict.config, notes: verdict.notes.map(locate), locate };
}

function toValue(document: Document.Parsed, fail: (finding: YamlFinding) => never): unknown {
  const finding = aliasFinding(document);
  if (finding !== undefined) fail(finding);
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    return fail(TOO_MANY_ALIASES);
  }
}

/** Where the value at `path` begins, or its key; where it is missing, the nearest thing around it that is there. */
function offsetOf(document: Document.Parsed, path: DocumentPath): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node) && typeof part === "number") {
      node = node.items[part];
    } else if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      offset = startOf(pair?.key) ?? offset;
      node = pair?.value;
      continue;
    }
    offset = startOf(node) ?? offset;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as ParsedNode).range[0] : undefined;
}
