// SPDX-License-Identifier: MIT
/** Reads the tables of docs/security.md and checks that the test named by each row ran and passed. */

export interface Row {
  /** The first cell: the limit, attack or fault. */
  readonly what: string;
  /** The name of the test in the third cell; undefined if the row has none. */
  readonly test: string | undefined;
}

/** The rows of the tables under the two headings. Throws Error if a table is missing. */
export function securityRows(text: string): Row[] {
  return ["## Limits", "## Attacks and faults"].flatMap((heading) => {
    const [section] = text.slice(text.indexOf(heading) + heading.length).split(/\n## /);
    const table = section!.split("\n").filter((line) => line.startsWith("|")).slice(2);
    if (!text.includes(heading) || table.length === 0) {
      throw new Error(`docs/security.md has no table below ${heading}`);
    }
    return table.map((line) => {
      const cells = line.split("|").slice(1, -1).map((cell) => cell.trim());
      return { what: cells[0]!, test: /^`(.+)`$/.exec(cells[2] ?? "")?.[1] };
    });
  });
}

/** The faults of the rows, a sentence each. `passed` are the names of the tests that ran and passed. */
export function rowProblems(rows: readonly Row[], passed: ReadonlySet<string>): string[] {
  return rows.flatMap(({ what, test }) => {
    if (test === undefined) return [`docs/security.md: ${JSON.stringify(what)} names no test`];
    return passed.has(test)
      ? []
      : [`docs/security.md: no test of this name ran and passed: ${JSON.stringify(test)}`];
  });
}
