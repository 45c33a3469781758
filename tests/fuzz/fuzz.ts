// SPDX-License-Identifier: MIT
/**
 * `deno task fuzz [--minutes N] [--target NAME] [--seed N] [--path PATH]`: feeds generated and mutated untrusted input to the
 * targets of `targets.ts`, half a minute each in turn. Shrinks each finding and prints it with the command that reproduces it.
 * Prints the coverage of the targets' code at the end. Exits with 1 after a finding.
 */
import { Session } from "node:inspector/promises";
import { parseArgs } from "node:util";
import { fuzz, type TargetName } from "./run.ts";
import { TARGETS } from "./targets.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    target: { type: "string" },
    seed: { type: "string" },
    path: { type: "string" },
  },
});
const names = (values.target === undefined ? Object.keys(TARGETS) : [values.target]) as TargetName[];
for (const name of names) {
  if (name in TARGETS) continue;
  console.error(`there is no target ${JSON.stringify(name)}; there are ${Object.keys(TARGETS).join(", ")}`);
  Deno.exit(2);
}
const endAt = performance.now() + Number(values.minutes) * 60_000;
const TURN_SECONDS = Math.min(30, Number(values.minutes) * 60 / names.length);
let seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const runs = new Map<TargetName, number>();
let isFound = false;

const coverage = await startCoverage();
do {
  for (const name of names) {
    const outcome = await fuzz(name, seed, TURN_SECONDS, values.path);
    runs.set(name, (runs.get(name) ?? 0) + outcome.runs);
    if (outcome.finding === undefined) continue;
    isFound = true;
    console.log(`FOUND by ${name}: ${outcome.finding.text}\nagain: ${outcome.finding.command}\n`);
  }
  seed++;
} while (performance.now() < endAt && values.path === undefined);
for (const [name, count] of runs) console.log(`${name}: ${count} inputs`);
await coverage?.();
Deno.exit(isFound ? 1 : 0);

/** Starts to measure the coverage of lib/. Returns a function that prints it; undefined if V8's inspector is unavailable. */
async function startCoverage(): Promise<(() => Promise<void>) | undefined> {
  try {
    const session = new Session();
    session.connect();
    await session.post("Profiler.enable");
    await session.post("Profiler.startPreciseCoverage", { callCount: false, detailed: true });
    return async () => {
      const { result } = await session.post("Profiler.takePreciseCoverage");
      for (const { url, functions } of result) {
        const file = /\/(lib\/(?:sndif|vsnd|trace|wav|control|backend)\/.*)$/.exec(url)?.[1];
        if (file === undefined || functions.length < 3) continue;
        const ranges = functions.flatMap(({ ranges }) => ranges);
        const reached = ranges.filter(({ count }) => count > 0).length;
        console.log(`${file}: ${reached} of ${ranges.length} ranges reached`);
      }
    };
  } catch (error) {
    console.error(`no coverage: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}
