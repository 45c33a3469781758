// SPDX-License-Identifier: MIT
/** What honest guests have seen: their requests' answers, and the positions. */
import { XENSND_OP_CLOSE, XENSND_OP_HW_PARAM_QUERY, XENSND_OP_OPEN } from "../../../lib/sndif/mod.ts";
import type { RequestRecord } from "../guest/account.ts";
import { AccountCheck } from "../guest/checks.ts";
import type { Guest } from "../population.ts";
import type { World } from "../world.ts";
import { hasTightBudgets } from "./limits.ts";
import type { Invariant } from "./invariants.ts";

/** µs that an answer may take which the main thread works on: less than the driver waits. */
const SLOW_BOUND = 2_800_000;
/**
 * µs that any other answer may take: slow devices and other guests hold the engine up. A guest that may use up its budget has
 * {@link SLOW_BOUND} for all its answers.
 */
const QUICK_BOUND = 1_500_000;

/** µs in which a guest is told of an answer: the engine may be in slow calls on other streams' devices. */
const TOLD_IN = 400_000;

const SLOW = new Set<number>([XENSND_OP_OPEN, XENSND_OP_CLOSE, XENSND_OP_HW_PARAM_QUERY]);

const boundIn = (world: World) => ({ operation }: RequestRecord) =>
  SLOW.has(operation) || hasTightBudgets(world) ? SLOW_BOUND : QUICK_BOUND;

function complaint(world: World, guest: Guest): string | undefined {
  const general = [...world.excuses.spans, ...guest.domain.pauses];
  for (const account of guest.kernel.accounts) {
    const { apart, connectedAt } = world.connections.of(guest.domain, account.ringRef);
    const excuses = [...general, ...apart];
    let check = guest.checks.get(account);
    if (check === undefined) {
      guest.checks.set(
        account,
        check = new AccountCheck(account, { bound: boundIn(world), toldIn: TOLD_IN }),
      );
    }
    const [finding] = check.check({ now: world.now, excuses, pauses: guest.domain.pauses, connectedAt });
    if (finding !== undefined) return `${guest.name}(${guest.domain.domid}) ${finding.text}`;
  }
}

export const requestsAnswered: Invariant = {
  name: "requestsAnswered",
  check(world) {
    for (const guest of world.population.present) {
      const found = complaint(world, guest);
      if (found !== undefined) return found;
    }
  },
};
