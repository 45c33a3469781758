// SPDX-License-Identifier: MIT
/** Groups the PCMs that `xsnd probe` found unusable by name and reason. */
import type { Probed } from "./probe_pcm.ts";

export interface ProbeFailure {
  readonly name: string;
  readonly directions: readonly string[];
  readonly problem: string;
  /** libasound's own messages. */
  readonly alsaMessages: readonly string[];
}

/** An entry for each unusable PCM and reason, in the order of `probed`. Both directions share an entry if they share the reason. */
export function probeFailures(probed: readonly Probed[]): ProbeFailure[] {
  const found = new Map<string, ProbeFailure & { readonly directions: string[] }>();
  for (const { name, direction, problem, alsaMessages } of probed) {
    if (problem === undefined) continue;
    const reason = problem.replace(` for ${direction}:`, ":");
    const key = JSON.stringify([name, reason]);
    const same = found.get(key);
    if (same === undefined) found.set(key, { name, directions: [direction], problem: reason, alsaMessages });
    else if (!same.directions.includes(direction)) same.directions.push(direction);
  }
  return [...found.values()];
}
