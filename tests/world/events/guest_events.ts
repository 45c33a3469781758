// SPDX-License-Identifier: MIT
/** What guests do: their programs. */
import type { Random } from "../machine/random.ts";
import type { Guest } from "../population.ts";
import type { World } from "../world.ts";
import type { EventTable } from "./events.ts";
import { createGuest, hasRoom } from "./toolstack_events.ts";

/** Programs of a guest that run at a time. */
const MOST_PROGRAMS = 6;

/**
 * Starts a program in some guest. Gives the world an honest guest if it has none, and a guest without a card or a working kernel another
 * life.
 */
function startProgram(world: World, random: Random): void {
  const { present: guests, running } = world.population;
  if (guests.length === 0) {
    if (hasRoom(world)) createGuest(world, random, true);
    else if (running.length > 0 && random.oneIn(4)) {
      world.xl.destroy(random.pick(running).domain.domid, random);
    }
    return;
  }
  const guest = random.pick(guests);
  const { domid } = guest.domain;
  if (guest.kernel.hasOopsed || world.account.cards.every(({ address }) => address.domid !== domid)) {
    if (random.oneIn(4)) world.xl.destroy(domid, random);
    return;
  }
  if (guest.running.length < MOST_PROGRAMS) world.population.startProgram(guest, random);
}

/** Has the guest unload the driver, and load it again after `micros` µs. */
export function reloadDriver({ kernel, domain }: Guest, micros: number): void {
  kernel.xenbus.unload();
  domain.later(micros, () => kernel.xenbus.load());
}

export const GUEST_EVENTS: EventTable = {
  "guest.program": { weight: 60, run: startProgram },
  "guest.step": {
    weight: 50,
    run(world, random) {
      const programs = world.population.present.flatMap(({ running }) => running);
      if (programs.length > 0) random.pick(programs).step(random);
      else startProgram(world, random);
    },
  },
  "guest.attack": {
    weight: 25,
    run(world, random) {
      const hostile = world.population.running.flatMap(({ hostile }) =>
        hostile === undefined ? [] : [hostile]
      );
      if (hostile.length > 0) random.pick(hostile).step(random);
      else startProgram(world, random);
    },
  },
  "guest.unload": {
    weight: 2,
    run(world, random) {
      const guests = world.population.present;
      if (guests.length > 0) reloadDriver(random.pick(guests), random.below(2_000_000));
    },
  },
  "guest.killProgram": {
    weight: 6,
    run(world, random) {
      const programs = world.population.present.flatMap(({ running }) => running);
      if (programs.length > 0) random.pick(programs).kill();
    },
  },
};
