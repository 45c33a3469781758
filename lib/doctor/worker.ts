/** The doctor's thread: does one check after the other, any of which may block it for ever. */
/// <reference lib="deno.worker" />
import { fromError } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { CHECKS } from "./groups.ts";

/** What the check that is due has found. */
export type CheckDone = readonly Finding[];

self.onmessage = async ({ data: first }: MessageEvent<number>) => {
  for (const check of CHECKS.slice(first)) {
    self.postMessage(await findings(check.subject, check.run) satisfies CheckDone);
  }
  self.close();
};

async function findings(subject: string, run: typeof CHECKS[number]["run"]): Promise<Finding[]> {
  try {
    return [await run()].flat();
  } catch (error) {
    return [fromError(subject, error)];
  }
}
