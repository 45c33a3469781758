// SPDX-License-Identifier: MIT
/** What operators at dom0's shell ask of the daemon. */
import type { StreamAccount } from "../guest/account.ts";
import type { Target } from "../operator/plan.ts";
import type { World } from "../world.ts";
import type { EventTable } from "./events.ts";

/** The streams of all cards that there are, or those `meant`, by the names that the daemon should give them. */
export function targetsOf(world: World, meant: (account: StreamAccount) => boolean = () => true): Target[] {
  return world.population.present.flatMap(({ kernel, domain }) => {
    const { domid } = domain;
    const name = world.account.domain(domid)?.name ?? String(domid);
    return [...kernel.accounts].filter(meant).map((account) => {
      const [nodename = "", place = "0/0"] = account.name.split(" ");
      return { name: `${name}/${nodename.split("/").at(-1)}/${place}`, domid };
    });
  });
}

/** Commands that may run at a time. */
const MOST_COMMANDS = 8;

export const OPERATOR_EVENTS: EventTable = {
  "operator.command": {
    weight: 14,
    run(world, random) {
      if (world.operators.running.length < MOST_COMMANDS) {
        world.operators.operate("any", targetsOf(world), random);
      }
    },
  },
  /** Changes nothing. */
  "operator.looks": {
    weight: 2,
    run(world, random) {
      if (world.operators.running.length < MOST_COMMANDS) world.operators.operate("status", [], random);
    },
  },
  "operator.crowd": {
    weight: 0.2,
    run: (world, random) => world.operators.crowd(random.between(2, 70), targetsOf(world), random),
  },
};
