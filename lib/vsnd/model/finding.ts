// SPDX-License-Identifier: MIT
/** A finding about a configuration file: the place, what is wrong there, why it matters, and what to write instead. */
import { inputName } from "../../base/standard_file.ts";
import { brief } from "../../base/text.ts";

/** The keys and indices from the root of a document to a value. */
export type DocumentPath = readonly (string | number)[];

/** Something that is wrong with a configuration. */
export interface Finding {
  /** Where in the document. */
  readonly path: DocumentPath;
  /** What is wrong: "missing", "37800 is not allowed". */
  readonly what: string;
  /** What the mistake would do; undefined where that is plain. */
  readonly why?: string;
  /** What to do: "write playback or capture". */
  readonly instead?: string;
}

/** A finding with its line and column in the file, both counted from 1. */
export interface LocatedFinding extends Finding {
  /** Counts from 1. */
  readonly line: number;
  /** Counts from 1. */
  readonly column: number;
}

/** The finding in one line: `FILE:LINE:COLUMN: PATH: WHAT; INSTEAD`. */
export function formatFinding(file: string, { line, column, path, what, instead }: LocatedFinding): string {
  return sentence(file, line, column, path, [what, instead]);
}

/** The finding with its reason in one line: `FILE:LINE:COLUMN: PATH: WHAT; WHY; INSTEAD`. */
export function explainFinding(
  file: string,
  { line, column, path, what, why, instead }: LocatedFinding,
): string {
  return sentence(file, line, column, path, [what, why, instead]);
}

/** The most characters of a path in a line. A key of the file may be as long as the file; a path of valid keys has some 60. */
const MAX_PATH = 200;
/** The most characters of each other part, which may quote the file. */
const MAX_PART = 600;

function sentence(
  file: string,
  line: number,
  column: number,
  path: DocumentPath,
  parts: readonly (string | undefined)[],
): string {
  const where = path.length === 0 ? "" : `${brief(formatPath(path), MAX_PATH)}: `;
  const said = parts.filter((part) => part !== undefined).map((part) => brief(part, MAX_PART));
  return `${inputName(file)}:${line}:${column}: ${where}${said.join("; ")}`;
}

/** The path as people write it: `domains.domU.cards[0].pcms[0].streams[1].type`. */
export function formatPath(path: DocumentPath): string {
  return path.map((part, index) =>
    typeof part === "number"
      ? `[${part}]`
      : /^[\w-]+$/.test(part)
      ? (index === 0 ? part : `.${part}`)
      : `[${JSON.stringify(part)}]`
  ).join("");
}
