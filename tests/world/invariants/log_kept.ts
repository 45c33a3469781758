// SPDX-License-Identifier: MIT
/** That the log comes in its order, and says what it lacks, whoever reads it and when. */
import type { Invariant } from "./invariants.ts";

/** µs in which the daemon writes what it has kept: it tries ten times a second. */
const RETRY_MICROS = 200_000;
/** What a thread of the daemon's may stand still besides, µs. */
const STILL_MICROS = 1_500_000;

export const logKept: Invariant = {
  name: "logKept",
  check({ daemons }) {
    for (const { log, process } of daemons.running) {
      const problem = log.problem(RETRY_MICROS + STILL_MICROS);
      if (problem !== undefined) return `${process.name}: ${problem}`;
    }
  },
};
