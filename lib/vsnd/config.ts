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
import { Exit, XsndError } from "../error.ts";
import type { Config } from "./card.ts";
import { type DocumentPath, type Finding, findingsOf, formatPath } from "./finding.ts";
import { resolveConfig } from "./resolve.ts";
import { configSchema } from "./schema.ts";

/** The most octets of a file that is read at all. */
const MAX_FILE_OCTETS = 1024 * 1024;
/** How often aliases may be used in all: enough for people, too few to blow a small file up. */
const MAX_ALIASES = 100;

/** A finding and where it is in the file; line and column count from 1. */
export interface LocatedFinding extends Finding {
  readonly line: number;
  readonly column: number;
}

/** A configuration file that is not right: one line of the message for each finding. */
export class ConfigError extends XsndError {
  override name = "ConfigError";
  constructor(readonly file: string, readonly findings: readonly LocatedFinding[]) {
    super(findings.map((finding) => formatFinding(file, finding)).join("\n"), Exit.badConfiguration);
  }
}

/** `FILE:LINE:COLUMN: PATH: what is wrong; what to write`. */
export function formatFinding(file: string, { line, column, path, message }: LocatedFinding): string {
  const where = path.length === 0 ? "" : `${formatPath(path)}: `;
  return `${file}:${line}:${column}: ${where}${message}`;
}

/** Reads and checks a file. Throws {@link ConfigError}, or {@link XsndError} (exit 6) if it cannot be read. */
export function loadConfig(file: string): Config {
  return parseConfig(readFile(file), file);
}

function readFile(file: string): string {
  try {
    const { size } = Deno.statSync(file);
    if (size > MAX_FILE_OCTETS) {
      throw new XsndError(
        `${file} is no configuration: it has ${size} octets, ${MAX_FILE_OCTETS} is the most`,
        Exit.badConfiguration,
      );
    }
    return Deno.readTextFileSync(file);
  } catch (error) {
    if (error instanceof XsndError) throw error;
    const why = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : error instanceof Error
      ? error.message
      : String(error);
    throw new XsndError(`cannot read the configuration ${file}: ${why}`, Exit.badConfiguration, {
      cause: error,
    });
  }
}

/** Checks the text of a file called `file`. Throws {@link ConfigError} with all that is wrong. */
export function parseConfig(text: string, file: string): Config {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, stringKeys: true });
  const fail = (findings: readonly (Finding & { offset?: number })[]): never => {
    const located = findings.map(({ path, message, offset }) => {
      const { line, col } = lineCounter.linePos(offset ?? offsetOf(document, path));
      return { path, message, line: Math.max(1, line), column: Math.max(1, col) };
    });
    throw new ConfigError(file, located.sort((a, b) => a.line - b.line || a.column - b.column));
  };

  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    fail(broken.map(({ message, pos }) => ({ path: [], message: `not YAML: ${message}`, offset: pos[0] })));
  }
  const value = toValue(document, fail);
  const shape = configSchema.safeParse(value);
  if (!shape.success) return fail(shape.error.issues.flatMap((issue) => findingsOf(issue, value)));
  const { config, findings } = resolveConfig(shape.data);
  return findings.length > 0 ? fail(findings) : config;
}

function toValue(document: Document.Parsed, fail: (findings: readonly Finding[]) => never): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    return fail([{ path: [], message: `not YAML of a sane size: ${error.message}; write fewer aliases` }]);
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
