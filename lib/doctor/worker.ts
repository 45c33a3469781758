/** The doctor's thread: does the check that it is asked for, which may block it for ever. */
/// <reference lib="deno.worker" />
import { fromError } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { CHECKS } from "./groups.ts";

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
