// SPDX-License-Identifier: MIT
/** What guests do: their programs. */
import type { EventTable } from "./events.ts";

export const GUEST_EVENTS: EventTable = {
  "guest.program": {
    weight: 60,
    run(world, random) {
      const guests = world.population.present;
      if (guests.length === 0) return;
      const guest = random.pick(guests);
      if (guest.running.length < 6) world.population.startProgram(guest, random);
    },
  },
  "guest.step": {
    weight: 80,
    run(world, random) {
      const programs = world.population.present.flatMap(({ running }) => running);
      if (programs.length > 0) random.pick(programs).step(random);
    },
  },
  "guest.attack": {
    weight: 25,
    run(world, random) {
      const hostile = world.population.running.flatMap(({ hostile }) =>
        hostile === undefined ? [] : [hostile]
      );
      if (hostile.length > 0) random.pick(hostile).step(random);
    },
  },
  "guest.unload": {
    weight: 2,
    run(world, random) {
      const guests = world.population.present;
      if (guests.length === 0) return;
      const { kernel, domain } = random.pick(guests);
      kernel.xenbus.unload();
      domain.later(random.below(2_000_000), () => kernel.xenbus.load());
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
