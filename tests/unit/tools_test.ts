// SPDX-License-Identifier: MIT
/** The tools around the tests: they recognise flaky tests, and check that every test named in docs/security.md ran. */
import assert from "node:assert/strict";
import { FlakyLog, flakySummary, testLocation } from "../tools/flaky.ts";
import { testCases } from "../tools/junit.ts";
import { rowProblems, securityRows } from "../tools/security_rows.ts";

const root = new URL("../../", import.meta.url).pathname;

/** Runs `text` as a test file. Returns the exit code, the JUnit report, and the notes about flaky tests. */
async function runTests(text: string): Promise<{ code: number; xml: string; notes: string[] }> {
  const directory = await Deno.makeTempDir({ dir: `${root}tests` });
  using log = new FlakyLog();
  try {
    const file = `${directory}/made_up_test.ts`;
    await Deno.writeTextFile(file, text);
    const args = ["test", "-A", "--quiet", "--no-check", `--junit-path=${directory}/report.xml`, file];
    const env = { ...log.environment, NO_COLOR: "1" };
    const { code } = await new Deno.Command(Deno.execPath(), { args, env, cwd: root }).output();
    return { code, xml: await Deno.readTextFile(`${directory}/report.xml`), notes: log.notes };
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

Deno.test("bestOfThree() notes each attempt that fails, with its place and reason", async () => {
  const { code, notes } = await runTests(`
    import { bestOfThree } from "../sandbox/harness.ts";
    let left = 2;
    Deno.test("passes at the third", () => bestOfThree(async () => { if (left-- > 0) throw new Error("left: " + left); }));
  `);
  assert.equal(code, 0);
  assert.deepEqual(notes.map((note) => note.replace(/tests\/\S+\//, "")), [
    "made_up_test.ts:4: left: 1",
    "made_up_test.ts:4: left: 0",
  ]);
  assert.match(flakySummary(notes), /^flaky: 1 \(at most \d+\)\n {2}tests\/.*\n {2}tests\/.*$/);
});

Deno.test("testLocation() says where a test calls from", () => {
  assert.match(testLocation(), /^tests\/unit\/tools_test\.ts:\d+$/);
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
