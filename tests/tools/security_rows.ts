// SPDX-License-Identifier: MIT
/** docs/security.md: each limit, attack and fault of its tables names the test that shows it. */

export interface Row {
  /** The first cell: the limit, attack or fault. */
  readonly what: string;
  /** The test's name; undefined if the row names none. */
  readonly test: string | undefined;
}

/** The rows of the tables below the two headings. Throws Error if a table is not there. */
export function securityRows(text: string): Row[] {
  return ["## Limits", "## Attacks and faults"].flatMap((heading) => {
    const [section] = text.slice(text.indexOf(heading) + heading.length).split(/\n## /);
    const table = section.split("\n").filter((line) => line.startsWith("|")).slice(2);
    if (!text.includes(heading) || table.length === 0) {
      throw new Error(`docs/security.md has no table below ${heading}`);
    }
    return table.map((line) => {
      const cells = line.split("|").slice(1, -1).map((cell) => cell.trim());
      return { what: cells[0]!, test: /^`(.+)`$/.exec(cells[2] ?? "")?.[1] };
    });
  });
}

/** What is wrong with the rows, a sentence each, when the tests `passed` are those that ran and passed. */
export function rowProblems(rows: readonly Row[], passed: ReadonlySet<string>): string[] {
  return rows.flatMap(({ what, test }) => {
    if (test === undefined) return [`docs/security.md: ${JSON.stringify(what)} names no test`];
    return passed.has(test)
      ? []
      : [`docs/security.md: no test of this name ran and passed: ${JSON.stringify(test)}`];
  });
}
