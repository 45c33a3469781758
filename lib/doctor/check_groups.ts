// SPDX-License-Identifier: MIT
/** The table of all checks, in the order in which they are run and printed. */
import { cardChecks } from "./cards.ts";
import { daemonChecks } from "./daemon_running.ts";
import { deviceChecks } from "./device_nodes.ts";
import type { Check } from "./doctor_finding.ts";
import { grantHandleCheck } from "./grant_handles.ts";
import { guestChecks } from "./guests.ts";
import { libraryChecks } from "./libraries.ts";
import { limitChecks } from "./process_limits.ts";
import { machineChecks } from "./machine.ts";
import { soundChecks } from "./sound.ts";
import { xenstoreChecks } from "./xenstore.ts";

/** The headings, each with the page of the docs that says more, and its checks. */
const GROUPS: Readonly<Record<string, readonly [page: string, checks: readonly Check[]]>> = {
  "this machine": ["docs/getting-started.md#1-install-xsnd-in-dom0", machineChecks],
  "libraries": ["docs/operating.md#install", libraryChecks],
  "grants and event channels": ["docs/getting-started.md#when-something-is-wrong", [
    ...deviceChecks,
    grantHandleCheck,
  ]],
  "XenStore": ["docs/getting-started.md#when-something-is-wrong", xenstoreChecks],
  "guests' cards": ["docs/operating.md#cards-and-devices", cardChecks],
  "guests": ["docs/getting-started.md#when-something-is-wrong", guestChecks],
  "sound": ["docs/operating.md#devices", soundChecks],
  "limits": ["docs/operating.md#real-time-priority", limitChecks],
  "daemon": ["docs/operating.md#the-service", daemonChecks],
};

export interface GroupedCheck extends Check {
  /** The heading under which the findings are printed. */
  readonly group: string;
  /** The page of the docs that says more about a failure, with its section. */
  readonly page: string;
}

export const CHECKS: readonly GroupedCheck[] = Object.entries(GROUPS).flatMap(([group, [page, checks]]) =>
  checks.map((check) => ({ ...check, group, page }))
);
