// SPDX-License-Identifier: MIT
/** What is wrong with a configuration file: where, what, and what to write instead. */
import { brief } from "../../base/text.ts";

/** Keys and indices from the root of the document to a value. */
export type DocumentPath = readonly (string | number)[];

export interface Finding {
  readonly path: DocumentPath;
  /** What is wrong: "missing", "37800 will not do". */
  readonly what: string;
  /** Why it matters; undefined where that is plain. */
  readonly why?: string;
  /** What to do about it: "write playback or capture". */
  readonly instead?: string;
}

/** A finding and where it is in the file; line and column count from 1. */
export interface LocatedFinding extends Finding {
  readonly line: number;
  readonly column: number;
}

/** What a line of text says of a finding: `FILE:LINE:COLUMN: PATH: WHAT; INSTEAD`. */
export function formatFinding(file: string, { line, column, path, what, instead }: LocatedFinding): string {
  return sentence(file, line, column, path, [what, instead]);
}

/** The same with the reason: `FILE:LINE:COLUMN: PATH: WHAT; WHY; INSTEAD`. */
export function explainFinding(
  file: string,
  { line, column, path, what, why, instead }: LocatedFinding,
): string {
  return sentence(file, line, column, path, [what, why, instead]);
}

/** A key may be as long as the file; a path of ours has some 60 characters. */
const MAX_PATH = 200;
/** What a finding says may quote the file, too. */
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
  return `${file}:${line}:${column}: ${where}${said.join("; ")}`;
}

/** `domains.domU.cards[0].pcms[0].streams[1].type`. */
export function formatPath(path: DocumentPath): string {
  return path.map((part, index) =>
    typeof part === "number"
      ? `[${part}]`
      : /^[\w-]+$/.test(part)
      ? (index === 0 ? part : `.${part}`)
      : `[${JSON.stringify(part)}]`
  ).join("");
}
