/**
 * `deno task test [FILE...]`: the tests of tests/unit and tests/sandbox, or those named, as many files at once as there are
 * processors, each in a process of its own. (`deno test --parallel` runs them in one, where they share its environment.)
 *
 * Much of what they test is sound, which is a matter of time. So those that judge by it most run by themselves, at last; and a
 * file that has failed beside another is run once more by itself: its first failure is printed all the same, and counted.
 * The last line is the summary that `deno test` would print.
 */
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
  readonly ok: boolean;
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
}

const began = performance.now();
const files = Deno.args.length > 0 ? Deno.args : ROOTS.flatMap(testsIn);
const alone = files.filter((file) => ALONE.includes(file));
const beside = files.filter((file) => !ALONE.includes(file));
const outcomes: Outcome[] = [];
const stumbled: string[] = [];

await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, async () => {
  for (let file = beside.shift(); file !== undefined; file = beside.shift()) {
    const outcome = await run(file);
    if (outcome.ok) outcomes.push(outcome);
    else stumbled.push(file);
  }
}));
for (const file of [...alone, ...stumbled]) outcomes.push(await run(file));

if (stumbled.length > 0) console.log(`\nfailed beside others, and run once more: ${stumbled.join(", ")}`);
const sum = (of: "passed" | "failed" | "ignored") =>
  outcomes.reduce((total, outcome) => total + outcome[of], 0);
const ok = outcomes.every((outcome) => outcome.ok);
const seconds = Math.round((performance.now() - began) / 1000);
const ignored = sum("ignored") > 0 ? ` | ${sum("ignored")} ignored` : "";
const time = `(${Math.floor(seconds / 60)}m${seconds % 60}s)`;
console.log(
  `\n${ok ? "ok" : "FAILED"} | ${sum("passed")} passed | ${sum("failed")} failed${ignored} ${time}`,
);
Deno.exit(ok ? 0 : 1);

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
  try {
    const { success, signal } = await new Deno.Command("sh", {
      args: ["-c", 'exec "$0" test --allow-all --quiet "$1" >"$2" 2>&1', Deno.execPath(), file, log],
      stdin: "null",
      signal: AbortSignal.timeout(FILE_MS),
    }).output();
    if (!success) {
      console.log(`${file} has failed${signal === "SIGTERM" ? `: it took ${FILE_MS / 1000} s` : ""}`);
    }
    const output = await Deno.readTextFile(log);
    console.log(output.trimEnd());
    const summary = output.match(/ \| \d+ passed .*/g)?.at(-1) ?? "";
    const count = (of: string) => Number(summary.match(new RegExp(`(\\d+) ${of}`))?.[1] ?? 0);
    // A file that could not be loaded is in no summary.
    const failed = Math.max(count("failed"), success ? 0 : 1);
    return { ok: success, passed: count("passed"), failed, ignored: count("ignored") };
  } finally {
    await Deno.remove(log);
  }
}
