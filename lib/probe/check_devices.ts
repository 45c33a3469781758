// SPDX-License-Identifier: MIT
/** Checking, before provisioning, that guests could open their streams on this host now. */
import type { NamedStream } from "../vsnd/provision/changed_streams.ts";
import { type DeviceProblem, deviceProblem } from "./device_problem.ts";

export interface DeviceCheck {
  /** A line for each stream whose device can do nothing that the stream allows. */
  readonly impossible: readonly string[];
  /** A line for each device that cannot be opened now, with the streams that are to use it. */
  readonly unusable: readonly string[];
}

/** Opens the streams' devices for a moment, one after the other. A busy device is no finding: it works for the process that has it. */
export async function checkDevices(streams: readonly NamedStream[]): Promise<DeviceCheck> {
  const impossible: string[] = [];
  const unusable = new Map<string, string[]>();
  for (const { name, stream } of streams) {
    const problem = await deviceProblem(stream);
    if (problem?.kind === "mismatch") {
      const what = `${stream.type} on ${JSON.stringify(stream.device)} is not possible`;
      impossible.push(`${name}: ${what}: ${explain(problem)}`);
    } else if (problem?.kind === "unusable" || problem?.kind === "unasked") {
      const reason = explain(problem);
      unusable.set(reason, [...unusable.get(reason) ?? [], name]);
    }
  }
  const lines = [...unusable].map(([reason, names]) =>
    `${names.join(", ")}: the device cannot be used now: ${reason}`
  );
  return { impossible, unusable: lines };
}

function explain({ reason, advice }: DeviceProblem): string {
  return advice === undefined ? reason : `${reason}; ${advice}`;
}
