// SPDX-License-Identifier: MIT
/** Stories of a hostile guest that comes, does its worst, and goes. */
import type { HostileGuest } from "../../guest/hostile.ts";
import type { Random } from "../../machine/random.ts";
import type { World } from "../../world.ts";
import type { EventTable } from "../events.ts";
import { addGuest } from "../guest_events.ts";
import { stallThread } from "../host_events.ts";
import { MILLI, SECOND } from "./story_parts.ts";

/**
 * Calls `deed` as soon as a hostile guest has just connected a card, whose number is `card`. The guest goes `micros` µs later: other
 * stories need honest guests, and there is room for few.
 */
function withHostile(
  world: World,
  random: Random,
  micros: number,
  deed: (hostile: HostileGuest, card: number) => void,
): void {
  if (!world.population.running.some(({ isHonest }) => !isHonest)) {
    world.population.isNextHostile = true;
    addGuest(world, random);
  }
  const look = (left: number) => {
    const hostile = world.population.running.find(({ hostile }) =>
      hostile?.isBusy === false && hostile.streams.length > 0
    )?.hostile;
    const domid = hostile?.domain.domid;
    const card = world.account.cards.find(({ address }) => address.domid === domid)?.address.card;
    if (hostile === undefined || card === undefined) {
      if (left === 0) world.population.isNextHostile = false;
      else world.later(100 * MILLI, () => look(left - 1));
      return;
    }
    hostile.isBusy = hostile.isFollowing = true;
    hostile.connect();
    world.later(random.between(700 * MILLI, 900 * MILLI), () => {
      deed(hostile, card);
      world.later(micros, () => void world.xl.destroy(hostile.domain.domid, random));
    });
  };
  look(50);
}

export const HOSTILE_STORIES: EventTable = {
  /** The toolstack detaches a card whose streams the daemon is about to let go of: a hostile guest has broken its rings. */
  "story.brokenAsDetached": {
    weight: 1,
    run(world, random) {
      withHostile(world, random, 2 * SECOND, (hostile, card) => {
        const [, ...engines] = world.daemons.current?.process.threads ?? [];
        if (engines.length === 0) return;
        const engine = random.pick(engines);
        world.moments.aim("log", () => stallThread(world, engine, random.between(200 * MILLI, 400 * MILLI)));
        for (const stream of hostile.streams) stream.breakRing();
        world.xl.detach(hostile.domain.domid, card, random);
      });
    },
  },
  /** A hostile guest has sound moved without end, which needs a stream that is open. */
  "story.spins": {
    weight: 1,
    run(world, random) {
      withHostile(world, random, 3 * SECOND, (hostile) => hostile.make("spin", random));
    },
  },
};
