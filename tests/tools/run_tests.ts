// SPDX-License-Identifier: MIT
/**
 * `deno task test [FILE...]` runs the tests, or the test files named, in three stages: tests/unit, tests/world, tests/sandbox. As many files
 * run at once as there are processors, each in a process of its own. (`deno test --parallel` runs the files in one
 * process, where they share its environment.) `--unit` runs the first stage alone.
 *
 * Many tests are about sound, which is a matter of time. The files that depend on time most run alone, at the end of their
 * stage. A file that fails beside another file runs once more, alone. Such a file counts as flaky: the run lists them, and fails if
 * there are more than the budget of flaky.ts. With CI set, an ignored test fails the run. A run of all files checks that each row of
 * docs/security.md names a test that ran and passed.
 *
 * Each stage ends with a line that has its time. The last line is the summary that `deno test` would print.
 */
import { FLAKY_BUDGET, flakySummary } from "./flaky.ts";
import { type TestCase, testCases } from "./junit.ts";
import { rowProblems, securityRows } from "./security_rows.ts";

/** The stages, in order: the folder of each one's files. */
const STAGES = ["tests/unit", "tests/world", "tests/sandbox"];

/** Files that use all processors, or that measure time. */
const ALONE = [
  "tests/sandbox/package_test.ts",
  "tests/sandbox/pulse_test.ts",
  "tests/sandbox/realtime_test.ts",
  "tests/sandbox/release_test.ts",
  "tests/sandbox/stopped_test.ts",
  "tests/unit/engine_allocation_test.ts",
  "tests/unit/sndif_allocation_test.ts",
  "tests/world/world_test.ts",
];

/** The most time for one file. A file that hangs fails, and the others go on. */
const FILE_MS = 600_000;

interface Outcome {
  readonly file: string;
  readonly ok: boolean;
  readonly cases: readonly TestCase[];
}

const began = performance.now();
const named = Deno.args.filter((arg) => arg !== "--unit");
const isWhole = Deno.args.length === 0;
const stages = STAGES.filter((stage) => stage === "tests/unit" || !Deno.args.includes("--unit"));
const files = named.length > 0 ? named : stages.flatMap(testsIn);
const outcomes: Outcome[] = [];
const stumbled: string[] = [];

for (const stage of STAGES) await runStage(stage, files.filter((file) => stageOf(file) === stage));

const cases = outcomes.flatMap((outcome) => outcome.cases);
const casesThat = (outcome: TestCase["outcome"]) =>
  cases.filter((one) => one.outcome === outcome).map(({ name }) => name);
const [passed, ignored] = [casesThat("passed"), casesThat("ignored")];
const problems = [
  // A file that could not be loaded, or was killed, has no failed test in its report.
  ...outcomes.filter(({ ok, cases }) => !ok && !cases.some((one) => one.outcome === "failed"))
    .map(({ file }) => `${file} did not finish`),
  ...casesThat("failed"),
];
if (isWhole) {
  problems.push(...rowProblems(securityRows(Deno.readTextFileSync("docs/security.md")), new Set(passed)));
}
if (Deno.env.has("CI")) {
  problems.push(...ignored.map((name) => `ignored, although CI is set: ${name}`));
}
if (stumbled.length > FLAKY_BUDGET) {
  problems.push(`${stumbled.length} files were tried again; at most ${FLAKY_BUDGET} may be`);
}

console.log(`\n${flakySummary(stumbled, FLAKY_BUDGET)}`);
for (const name of ignored) console.log(`ignored: ${name}`);
for (const problem of problems) console.log(`failed: ${problem}`);
const skipped = ignored.length > 0 ? ` | ${ignored.length} ignored` : "";
const verdict = problems.length === 0 ? "ok" : "FAILED";
console.log(
  `\n${verdict} | ${passed.length} passed | ${problems.length} failed${skipped} (${timeSince(began)})`,
);
Deno.exitCode = problems.length === 0 ? 0 : 1;

/** The stage of a test file; a file that is in none of the folders belongs to the last stage. */
function stageOf(file: string): string {
  return STAGES.find((stage) => file.startsWith(`${stage}/`)) ?? STAGES.at(-1)!;
}

/** Runs a stage's files: most of them beside each other, then, one after the other, those of ALONE and those that failed. */
async function runStage(stage: string, files: readonly string[]): Promise<void> {
  if (files.length === 0) return;
  const start = performance.now();
  const beside = files.filter((file) => !ALONE.includes(file));
  const again: string[] = [];
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, async () => {
    for (let file = beside.shift(); file !== undefined; file = beside.shift()) {
      const outcome = await run(file);
      if (outcome.ok) outcomes.push(outcome);
      else again.push(file);
    }
  }));
  for (const file of [...files.filter((file) => ALONE.includes(file)), ...again]) {
    outcomes.push(await run(file));
  }
  stumbled.push(...again);
  console.log(`\nstage ${stage}: ${files.length} files, ${timeSince(start)}`);
}

/** `2m5s` */
function timeSince(start: number): string {
  const seconds = Math.round((performance.now() - start) / 1000);
  return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}

/** The test files below `directory`, by name. */
function testsIn(directory: string): string[] {
  return Array.from(Deno.readDirSync(directory)).flatMap(({ name, isDirectory }) =>
    isDirectory ? testsIn(`${directory}/${name}`) : name.endsWith("_test.ts") ? [`${directory}/${name}`] : []
  ).sort();
}

/** Runs one file, and prints its output when it has ended. */
async function run(file: string): Promise<Outcome> {
  // A file and not a pipe: a process that a test leaves behind would keep a pipe open, and this function waiting.
  const log = await Deno.makeTempFile();
  const report = await Deno.makeTempFile();
  try {
    const script = 'exec "$0" test --allow-all --junit-path="$3" "$1" >"$2" 2>&1';
    const { success, signal } = await new Deno.Command("sh", {
      args: ["-c", script, Deno.execPath(), file, log, report],
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
