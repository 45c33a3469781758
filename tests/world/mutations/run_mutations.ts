// SPDX-License-Identifier: MIT
/**
 * Plants each defect in a copy of the program, has the world look for it, and writes docs/world-mutations.md. Exit code 1 if the
 * world finds fewer than 24 of 25.
 *
 *     deno run -A tests/world/mutations/run_mutations.ts [--only NAME[,NAME...]] [--seeds N] [--events N]
 *     ... --check    only checks that each changed program keeps its types
 *     ... --tests    only checks that the test file which is said to fail with a defect does so
 *
 * With `--only`, `--check` and `--tests` the page is left alone.
 */
import { parseArgs } from "node:util";
import { ProjectCopy } from "./apply.ts";
import { type Budget, hunt, type Outcome, runWorlds } from "./hunt.ts";
import type { Mutation } from "./mutation.ts";
import { MUTATIONS } from "./mutations.ts";
import { pageOf, type Row } from "./page.ts";

/** Copies that are run at once. */
const COPIES = 2;
/** The least part of the defects that the world finds: 24 of 25. */
const LEAST_FOUND = 24 / 25;
/** A seed takes seconds. */
const TIMEOUT_MS = 120_000;

const PAGE = new URL("../../../docs/world-mutations.md", import.meta.url).pathname;

/** Calls `work` for each of `items` with a copy of its own; at most {@link COPIES} at once. Returns the results in order. */
async function inCopies<T, R>(
  items: readonly T[],
  work: (copy: ProjectCopy, item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    using copy = new ProjectCopy();
    for (let i; (i = next++) < items.length;) results[i] = await work(copy, items[i]!);
  };
  await Promise.all(Array.from({ length: Math.min(COPIES, items.length) }, worker));
  return results;
}

function world(copy: ProjectCopy, budget: Budget): Promise<Outcome> {
  const run = (first: number) => {
    const numbers = { seed: first, seeds: budget.seeds - first + 1, events: budget.events };
    const args = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const command = copy.deno([
      "run",
      "-A",
      "--quiet",
      "--no-check",
      "tests/world/run.ts",
      ...args,
      "--no-shrink",
    ]);
    return runWorlds(command, first, budget);
  };
  return hunt(run, budget);
}

function describe({ finder, seed, events }: Outcome): string {
  return finder === undefined ? `not found in ${events} events` : `${finder}, seed ${seed}, ${events} events`;
}

/** Hunts each defect. Throws if the world finds something in the unchanged program. */
async function huntAll(mutations: readonly Mutation[], budget: Budget): Promise<Row[]> {
  const rows = await inCopies([undefined, ...mutations], async (copy, mutation) => {
    using _planted = mutation && copy.plant(mutation);
    const finding = await world(copy, budget);
    console.log(`${mutation?.name ?? "the unchanged program"}: ${describe(finding)}`);
    if (mutation !== undefined) return [{ mutation, finding }];
    if (finding.finder !== undefined) throw new Error("the world finds a defect in the unchanged program");
    return [];
  });
  return rows.flat();
}

/** Runs `deno ARGS` with each defect planted; returns the names of those for which the exit code is 0. */
async function succeeding(
  mutations: readonly Mutation[],
  args: (mutation: Mutation) => string[],
): Promise<string[]> {
  const names = await inCopies(mutations, async (copy, mutation) => {
    using _planted = copy.plant(mutation);
    const { success } = await copy.deno(args(mutation)).output();
    console.log(`${mutation.name}: ${success ? "passes" : "fails"}`);
    return success ? [mutation.name] : [];
  });
  return names.flat();
}

/** Carries out the command line `args`; returns the exit code. */
export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string" },
      seeds: { type: "string", default: "200" },
      events: { type: "string", default: "1500" },
      check: { type: "boolean", default: false },
      tests: { type: "boolean", default: false },
    },
  });
  const wanted = values.only?.split(",");
  const unknown = wanted?.filter((name) => !MUTATIONS.some((one) => one.name === name)) ?? [];
  if (unknown.length > 0) throw new Error(`there is no planted defect called ${unknown.join(", ")}`);
  const mutations = MUTATIONS.filter(({ name }) => wanted?.includes(name) ?? true);
  if (values.check) {
    const passed = await succeeding(mutations, ({ file }) => ["check", "--quiet", file]);
    return passed.length === mutations.length ? 0 : 1;
  }
  if (values.tests) {
    const tested = mutations.filter(({ test }) => test !== undefined);
    const passed = await succeeding(tested, ({ test }) => ["test", "-A", "--quiet", "--no-check", test!]);
    return passed.length === 0 ? 0 : 1;
  }
  const budget = { seeds: Number(values.seeds), events: Number(values.events), timeoutMs: TIMEOUT_MS };
  const rows = await huntAll(mutations.filter(({ beyond }) => beyond === undefined), budget);
  const found = rows.filter(({ finding }) => finding.finder !== undefined).length;
  console.log(`${found} of ${rows.length} planted defects are found`);
  const beyond = mutations.filter(({ beyond }) => beyond !== undefined);
  if (wanted === undefined) await writePage(pageOf(rows, beyond, budget));
  return found >= rows.length * LEAST_FOUND ? 0 : 1;
}

async function writePage(text: string): Promise<void> {
  Deno.writeTextFileSync(PAGE, text);
  const { success } = await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", PAGE] }).output();
  if (!success) throw new Error(`${PAGE} cannot be formatted`);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
