// SPDX-License-Identifier: MIT
/** How much a thread may do before it lets others go on, and how much of that a guest may cause. */
import { Demand } from "./demand.ts";
import type { Invariant } from "./invariants.ts";

/** System calls in one turn. */
const MOST_CALLS = { engine: 4000, main: 20_000 } as const;

export const turnsBounded: Invariant = {
  name: "turnsBounded",
  check(world) {
    for (const { process } of world.daemons.running) {
      for (const { name, mostCalls } of process.threads) {
        const most = name.endsWith("/main") ? MOST_CALLS.main : MOST_CALLS.engine;
        if (mostCalls > most) {
          return `${name} has made ${mostCalls} system calls in one turn; the bound is ${most}`;
        }
      }
    }
    return Demand.of(world).take();
  },
};
