// SPDX-License-Identifier: MIT
/** Whether guests could open streams on this host now, for those who are about to provision them. */
import type { NamedStream } from "../vsnd/provision/changed_streams.ts";
import { type DeviceProblem, deviceProblem } from "./device_problem.ts";

export interface DeviceCheck {
  /** Streams whose device can do nothing of what they allow, a line each. */
  readonly impossible: readonly string[];
  /** Devices that cannot be opened now, a line each with the streams that are to use it. */
  readonly unusable: readonly string[];
}

/** Opens the streams' devices for a moment, one after the other. A device that somebody has open is right for him, and no finding. */
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
