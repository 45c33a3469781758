// SPDX-License-Identifier: MIT
/** The tools around the tests: they read a run's report, and check that every test named in docs/security.md ran. */
import assert from "node:assert/strict";
import { testCases } from "../tools/junit.ts";
import { rowProblems, securityRows } from "../tools/security_rows.ts";

const root = new URL("../../", import.meta.url).pathname;

/** Runs `text` as a test file. Returns the exit code and the JUnit report. */
async function runTests(text: string): Promise<{ code: number; xml: string }> {
  const directory = await Deno.makeTempDir({ dir: `${root}tests` });
  try {
    const file = `${directory}/made_up_test.ts`;
    await Deno.writeTextFile(file, text);
    const args = ["test", "-A", "--quiet", "--no-check", `--junit-path=${directory}/report.xml`, file];
    const env = { NO_COLOR: "1" };
    const { code } = await new Deno.Command(Deno.execPath(), { args, env, cwd: root }).output();
    return { code, xml: await Deno.readTextFile(`${directory}/report.xml`) };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("testCases() knows which tests passed, failed and were ignored", async () => {
  const { code, xml } = await runTests(`
    Deno.test("it's <well> & \\"quoted\\"", () => {});
    Deno.test("not well", () => { throw new Error("<testcase name='x'>"); });
    Deno.test({ name: "not at all", ignore: true, fn: () => {} });
  `);
  assert.equal(code, 1);
  assert.deepEqual(testCases(xml), [
    { name: 'it\'s <well> & "quoted"', outcome: "passed" },
    { name: "not well", outcome: "failed" },
    { name: "not at all", outcome: "ignored" },
  ]);
});

Deno.test("rowProblems() wants of each row a test that ran and passed", () => {
  const text = "## Limits\n\n| of | limit | test |\n| - | - | - |\n| a | 1 | `ran` |\n| b | 2 | `not` |\n\n" +
    "## Attacks and faults\n\n| of | is | test |\n| - | - | - |\n| c | 3 | none |\n\n## More\n";
  assert.deepEqual(rowProblems(securityRows(text), new Set(["ran"])), [
    'docs/security.md: no test of this name ran and passed: "not"',
    'docs/security.md: "c" names no test',
  ]);
  assert.throws(() => securityRows("# Security\n"), /no table below ## Limits/);
});
