// SPDX-License-Identifier: MIT
/** What guests do: their programs. */
import type { Random } from "../machine/random.ts";
import type { Guest } from "../population.ts";
import type { World } from "../world.ts";
import type { EventTable } from "./events.ts";
import { createGuest, hasRoom } from "./toolstack_events.ts";

/** Programs of a guest that run at a time. */
const MOST_PROGRAMS = 6;

/** µs after which nobody waits for a domain that is paused. */
const LONGEST_PAUSE = 5_000_000;

/**
 * Starts a program in some guest. Gives the world an honest guest if it has none, and a guest without a card or a working kernel another
 * life.
 */
function startProgram(world: World, random: Random): void {
  const guests = world.population.present;
  if (guests.length === 0) {
    if (hasRoom(world)) createGuest(world, random, true);
    else if (random.oneIn(4)) makeRoom(world, random);
    return;
  }
  const guest = random.pick(guests);
  const { domid } = guest.domain;
  if (isUseless(world, guest)) {
    if (random.oneIn(4)) world.xl.destroy(domid, random);
    return;
  }
  if (guest.running.length < MOST_PROGRAMS) world.population.startProgram(guest, random);
}

/** Some domain goes: one with a hostile guest, or one that a killed toolstack has left half made. */
function makeRoom({ host, xl }: World, random: Random): void {
  const domids = host.xen.hypervisor.domains.map(({ domid }) => domid).filter((domid) => domid !== 0);
  if (domids.length > 0) xl.destroy(random.pick(domids), random);
}

/** Whether a guest can run nothing any more: without a card, without a kernel, or in a domain that has ended or that nobody wakes. */
function isUseless({ account, now }: World, { kernel, domain: { domid, pauses, isPaused } }: Guest): boolean {
  return kernel.hasOopsed || account.cards.every(({ address }) => address.domid !== domid) ||
    isPaused && pauses.at(-1)!.from + LONGEST_PAUSE < now;
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
