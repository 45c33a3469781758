// SPDX-License-Identifier: MIT
/** The doctor's thread: does the check that it is asked for, which may block it for ever. */
/// <reference lib="deno.worker" />
import { fromError } from "./doctor_finding.ts";
import type { Finding } from "./doctor_finding.ts";
import { CHECKS } from "./check_groups.ts";

/** What the check has found. */
export type CheckDone = readonly Finding[];

self.onmessage = async ({ data: index }: MessageEvent<number>) => {
  const { subject, run } = CHECKS[index];
  self.postMessage(await findings(subject, run) satisfies CheckDone);
};

async function findings(subject: string, run: typeof CHECKS[number]["run"]): Promise<Finding[]> {
  try {
    return [await run()].flat();
  } catch (error) {
    return [fromError(subject, error)];
  }
}
