// SPDX-License-Identifier: MIT
/**
 * `deno task test [FILE...]`: the tests of tests/unit and tests/sandbox, or those named, as many files at once as there are
 * processors, each in a process of its own. (`deno test --parallel` runs them in one, where they share its environment.)
 *
 * Much of what they test is sound, which is a matter of time. So those that judge by it most run by themselves, at last; and a
 * file that has failed beside another is run once more by itself. That, and each case that a test tries again, counts as flaky:
 * the run lists them, and more than the budget of flaky.ts fail it. With CI set, a test that is ignored fails the run. A run of
 * all files checks that each row of docs/security.md names a test that ran and passed.
 *
 * The last line is the summary that `deno test` would print.
 */
import { FLAKY_BUDGET, flakyCases, FlakyLog, flakySummary } from "./flaky.ts";
import { type TestCase, testCases } from "./junit.ts";
import { rowProblems, securityRows } from "./security_rows.ts";

const ROOTS = ["tests/unit", "tests/sandbox"];

/** Files that leave nothing over for others, or whose subject is how long something takes. */
const ALONE = [
  "tests/sandbox/answer_time_test.ts",
  "tests/sandbox/package_test.ts",
  "tests/sandbox/pulse_test.ts",
  "tests/sandbox/realtime_test.ts",
  "tests/sandbox/stopped_test.ts",
  "tests/unit/engine_allocation_test.ts",
  "tests/unit/sndif_allocation_test.ts",
];

/** How long a file may take; one that hangs is to fail, and the rest to go on. */
const FILE_MS = 600_000;

interface Outcome {
  readonly file: string;
  readonly ok: boolean;
  readonly cases: readonly TestCase[];
}

const began = performance.now();
const isWhole = Deno.args.length === 0;
const files = isWhole ? ROOTS.flatMap(testsIn) : Deno.args;
const alone = files.filter((file) => ALONE.includes(file));
const beside = files.filter((file) => !ALONE.includes(file));
const outcomes: Outcome[] = [];
const stumbled: string[] = [];
using flakyLog = new FlakyLog();

await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, async () => {
  for (let file = beside.shift(); file !== undefined; file = beside.shift()) {
    const outcome = await run(file);
    if (outcome.ok) outcomes.push(outcome);
    else stumbled.push(file);
  }
}));
for (const file of [...alone, ...stumbled]) outcomes.push(await run(file));

const cases = outcomes.flatMap((outcome) => outcome.cases);
const named = (outcome: TestCase["outcome"]) =>
  cases.filter((one) => one.outcome === outcome).map(({ name }) => name);
const [passed, ignored] = [named("passed"), named("ignored")];
const problems = [
  // A file that could not be loaded, or was ended, is in no report.
  ...outcomes.filter(({ ok, cases }) => !ok && !cases.some((one) => one.outcome === "failed"))
    .map(({ file }) => `${file} did not come to its end`),
  ...named("failed"),
];
if (isWhole) {
  problems.push(...rowProblems(securityRows(Deno.readTextFileSync("docs/security.md")), new Set(passed)));
}
if (Deno.env.has("CI")) {
  problems.push(...ignored.map((name) => `ignored, where nothing may be missing: ${name}`));
}
const flaky = [...stumbled.map((file) => `${file}: failed beside another file`), ...flakyLog.notes];
const again = flakyCases(flaky);
if (again > FLAKY_BUDGET) problems.push(`${again} cases were tried again, and ${FLAKY_BUDGET} are the most`);

console.log(`\n${flakySummary(flaky)}`);
for (const name of ignored) console.log(`ignored: ${name}`);
for (const problem of problems) console.log(`failed: ${problem}`);
const seconds = Math.round((performance.now() - began) / 1000);
const time = `(${Math.floor(seconds / 60)}m${seconds % 60}s)`;
const skipped = ignored.length > 0 ? ` | ${ignored.length} ignored` : "";
const verdict = problems.length === 0 ? "ok" : "FAILED";
console.log(`\n${verdict} | ${passed.length} passed | ${problems.length} failed${skipped} ${time}`);
Deno.exitCode = problems.length === 0 ? 0 : 1;

/** The test files below `directory`, by name. */
function testsIn(directory: string): string[] {
  return Array.from(Deno.readDirSync(directory)).flatMap(({ name, isDirectory }) =>
    isDirectory ? testsIn(`${directory}/${name}`) : name.endsWith("_test.ts") ? [`${directory}/${name}`] : []
  ).sort();
}

/** Runs one file, and prints what it prints when it is done. */
async function run(file: string): Promise<Outcome> {
  // Through a file and not a pipe: a process that a test leaves behind would keep a pipe open, and this waiting.
  const log = await Deno.makeTempFile();
  const report = await Deno.makeTempFile();
  try {
    const script = 'exec "$0" test --allow-all --quiet --junit-path="$3" "$1" >"$2" 2>&1';
    const { success, signal } = await new Deno.Command("sh", {
      args: ["-c", script, Deno.execPath(), file, log, report],
      env: flakyLog.environment,
      stdin: "null",
      signal: AbortSignal.timeout(FILE_MS),
    }).output();
    if (!success) {
      console.log(`${file} has failed${signal === "SIGTERM" ? `: it took ${FILE_MS / 1000} s` : ""}`);
    }
    console.log((await Deno.readTextFile(log)).trimEnd());
    return { file, ok: success, cases: testCases(await Deno.readTextFile(report)) };
  } finally {
    await Deno.remove(log);
    await Deno.remove(report);
  }
}
