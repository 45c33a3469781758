// SPDX-License-Identifier: MIT
/** Whether guests could open streams on this host now, for those who are about to provision them. */
import type { NamedStream } from "../vsnd/provision/changed_streams.ts";
import { type Obstacle, obstacleOf } from "./obstacle.ts";

export interface DeviceVerdict {
  /** Streams whose device can do nothing of what they allow, a line each. */
  readonly impossible: readonly string[];
  /** Devices that cannot be opened now, a line each with the streams that are to use it. */
  readonly unusable: readonly string[];
}

/** Opens the streams' devices for a moment, one after the other. A device that somebody has open is right for him, and no finding. */
export async function judgeDevices(streams: readonly NamedStream[]): Promise<DeviceVerdict> {
  const impossible: string[] = [];
  const unusable = new Map<string, string[]>();
  for (const { name, stream } of streams) {
    const obstacle = await obstacleOf(stream);
    if (obstacle?.kind === "mismatch") {
      const what = `${stream.type} on ${JSON.stringify(stream.device)} is not possible`;
      impossible.push(`${name}: ${what}: ${explain(obstacle)}`);
    } else if (obstacle?.kind === "unusable" || obstacle?.kind === "unasked") {
      const reason = explain(obstacle);
      unusable.set(reason, [...unusable.get(reason) ?? [], name]);
    }
  }
  const lines = [...unusable].map(([reason, names]) =>
    `${names.join(", ")}: the device cannot be used now: ${reason}`
  );
  return { impossible, unusable: lines };
}

function explain({ reason, advice }: Obstacle): string {
  return advice === undefined ? reason : `${reason}; ${advice}`;
}
