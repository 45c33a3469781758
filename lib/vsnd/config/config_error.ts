// SPDX-License-Identifier: MIT
/** The error for a configuration file that is wrong: all findings about the file, in the file's order. */
import { Exit, XsndError } from "../../base/error.ts";
import { inputName } from "../../base/standard_file.ts";
import { type Finding, formatFinding, type LocatedFinding } from "../model/finding.ts";

/** The most findings that are printed for one file. */
const MAX_FINDINGS = 100;
/** The most findings whose line and column are looked up: enough to find the first {@link MAX_FINDINGS} in the file's order. */
export const MAX_LOCATED = 1000;

/**
 * A configuration file is wrong. The message has a line for each finding.
 *
 * @example
 * ```ts
 * import { ConfigError, parseConfig } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * assert.throws(() => parseConfig("domains: 7", "guests.yaml"), (error) => {
 *   assert(error instanceof ConfigError);
 *   assert.equal(error.findings[0]?.line, 1);
 *   return true;
 * });
 * ```
 */
export class ConfigError extends XsndError {
  /** `ConfigError`. */
  override name = "ConfigError";
  /** In the order of the file, at most {@link MAX_FINDINGS}. */
  readonly findings: readonly LocatedFinding[];

  /**
   * Makes the error for `file`.
   *
   * @param count the number of all findings, where `findings` has only some
   */
  constructor(
    /** The file's name. */ readonly file: string,
    findings: readonly LocatedFinding[],
    count = findings.length,
  ) {
    const sorted = findings.toSorted((a, b) => a.line - b.line || a.column - b.column).slice(0, MAX_FINDINGS);
    const lines = sorted.map((finding) => formatFinding(file, finding));
    if (count > sorted.length) {
      lines.push(`${inputName(file)}: and ${count - sorted.length} more; mend these first`);
    }
    super(lines.join("\n"), Exit.badConfiguration);
    this.findings = sorted;
  }
}

/** Throws {@link ConfigError} if `finding`, which is about the file as a whole, is there. */
export function refuseForeign(finding: Finding | undefined, file: string): void {
  if (finding !== undefined) throw new ConfigError(file, [{ ...finding, line: 1, column: 1 }]);
}
