// SPDX-License-Identifier: MIT
/** The self-test: a verdict for each check, for a person or for a pipeline. */
import { XsndError } from "../base/error.ts";
import type { Check } from "./checks.ts";
import type { DemoHost } from "./demo_host.ts";
import { TestBench } from "./test_bench.ts";

/** What came of a check. */
export interface Verdict {
  readonly name: string;
  readonly passed: boolean;
  readonly seconds: number;
  /** What is wrong; undefined if nothing is. */
  readonly reason?: string;
}

/**
 * Runs `checks`, one after the other. An {@link XsndError}, as of a daemon that is gone, is a failed check, and ends no other one.
 * Throws what is no verdict: that `signal` was aborted, and defects.
 */
export async function* selfTest(
  host: DemoHost,
  checks: readonly Check[],
  signal: AbortSignal,
): AsyncGenerator<Verdict> {
  const bench = new TestBench(host, signal);
  for (const { name, run } of checks) {
    const start = performance.now();
    const reason = await run(bench).then(() => undefined, (error) => {
      if (signal.aborted || !(error instanceof XsndError)) throw error;
      return error.message;
    });
    const seconds = Math.round(performance.now() - start) / 1000;
    yield { name, passed: reason === undefined, seconds, ...(reason !== undefined && { reason }) };
  }
}
