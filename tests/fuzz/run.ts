// SPDX-License-Identifier: MIT
/** Fuzzes one target for a given time from a given seed, and shrinks a finding. */
import fc from "fast-check";
import { type Property, TARGETS } from "./targets.ts";

export type TargetName = keyof typeof TARGETS;

export interface Finding {
  readonly text: string;
  /** The command that reproduces the finding. */
  readonly command: string;
}

export interface Outcome {
  readonly runs: number;
  readonly finding?: Finding;
}

/** @param path the path of a finding to reproduce: see {@link Finding.command} */
export async function fuzz(name: TargetName, seed: number, seconds: number, path?: string): Promise<Outcome> {
  const details = await fc.check(TARGETS[name] as unknown as Property, {
    seed,
    path,
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: seconds * 1000,
    markInterruptAsFailure: false,
    skipAllAfterTimeLimit: undefined,
    includeErrorInReport: true,
  });
  if (!details.failed) return { runs: details.numRuns };
  const { counterexample, counterexamplePath, errorInstance } = details;
  const command = `deno task fuzz --target ${name} --seed ${seed} --path ${counterexamplePath}`;
  const text = `${(errorInstance as Error)?.stack ?? errorInstance}\nof ${fc.stringify(counterexample)}`;
  return { runs: details.numRuns, finding: { text, command } };
}
