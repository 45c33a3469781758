// SPDX-License-Identifier: MIT
/** What guests do: their programs. */
import type { Random } from "../machine/random.ts";
import type { Guest } from "../population.ts";
import { isStoried } from "../script.ts";
import type { World } from "../world.ts";
import type { EventTable } from "./events.ts";
import { createGuest, hasRoom } from "./toolstack_events.ts";

/** Programs of a guest that run at a time. */
const MOST_PROGRAMS = 6;

/** Honest guests in a world of stories, many of which are of two. */
const STORIES_GUESTS = 2;

/** µs after which nobody waits for a domain that is paused. */
const LONGEST_PAUSE = 5_000_000;

/**
 * Starts a program in some guest. Gives the world an honest guest if it has none, and a guest without a card or a working kernel another
 * life.
 */
function startProgram(world: World, random: Random): void {
  const guests = world.population.present;
  if (guests.length === 0 || isStoried(world.seed) && guests.length < STORIES_GUESTS && random.oneIn(4)) {
    return addGuest(world, random);
  }
  const guest = random.pick(guests);
  const { domid } = guest.domain;
  if (isUseless(world, guest)) {
    if (isStoried(world.seed) || random.oneIn(4)) world.xl.destroy(domid, random);
    return;
  }
  if (guest.running.length < MOST_PROGRAMS) world.population.startProgram(guest, random);
}

/** Gives the world an honest guest, or room for one. */
export function addGuest(world: World, random: Random): void {
  if (hasRoom(world)) createGuest(world, random, true);
  else if (random.oneIn(4)) makeRoom(world, random);
}

/** Some domain goes: one that a killed toolstack has left half made, or one with a hostile guest. */
function makeRoom({ host, population, xl }: World, random: Random): void {
  const strangers = host.xen.hypervisor.domains.filter((domain) =>
    domain.domid !== 0 && population.of(domain)?.isHonest !== true
  );
  const halfMade = strangers.filter((domain) => population.of(domain) === undefined);
  const [domain] = [...halfMade, ...strangers];
  if (domain !== undefined) xl.destroy(domain.domid, random);
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
