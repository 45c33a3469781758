// SPDX-License-Identifier: MIT
/** The table of all checks, in the order in which they are run and printed. */
import { cardChecks } from "./cards.ts";
import { daemonChecks } from "./daemon_running.ts";
import { deviceChecks } from "./device_nodes.ts";
import type { Check } from "./doctor_finding.ts";
import { libraryChecks } from "./libraries.ts";
import { limitChecks } from "./process_limits.ts";
import { machineChecks } from "./machine.ts";
import { soundChecks } from "./sound.ts";
import { xenstoreChecks } from "./xenstore.ts";

const GROUPS: Readonly<Record<string, readonly Check[]>> = {
  "this machine": machineChecks,
  "libraries": libraryChecks,
  "grants and event channels": deviceChecks,
  "XenStore": xenstoreChecks,
  "guests' cards": cardChecks,
  "sound": soundChecks,
  "limits": limitChecks,
  "daemon": daemonChecks,
};

export interface GroupedCheck extends Check {
  /** The heading under which the findings are printed. */
  readonly group: string;
}

export const CHECKS: readonly GroupedCheck[] = Object.entries(GROUPS).flatMap(([group, checks]) =>
  checks.map((check) => ({ ...check, group }))
);
