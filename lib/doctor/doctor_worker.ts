// SPDX-License-Identifier: MIT
/** The doctor's worker: runs one check a message. A check may block the worker for ever. */
/// <reference lib="deno.worker" />
import { fromError } from "./doctor_finding.ts";
import type { Finding } from "./doctor_finding.ts";
import { CHECKS } from "./check_groups.ts";

/** The answer: the findings of the check. */
export type CheckDone = readonly Finding[];

self.onmessage = async ({ data: index }: MessageEvent<number>) => {
  const check = CHECKS[index];
  if (check === undefined) throw new RangeError(`there is no check ${index}`);
  const { subject, run } = check;
  self.postMessage(await findings(subject, run) satisfies CheckDone);
};

async function findings(subject: string, run: typeof CHECKS[number]["run"]): Promise<Finding[]> {
  try {
    return [await run()].flat();
  } catch (error) {
    return [fromError(subject, error)];
  }
}
