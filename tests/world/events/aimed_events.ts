// SPDX-License-Identifier: MIT
/**
 * Two things that happen one right after the other. Alone, each is frequent; together they are what shows that a decision is used at
 * another moment than that of which it was made.
 */
import type { Random } from "../machine/random.ts";
import { MOMENTS } from "../moments.ts";
import type { World } from "../world.ts";
import type { EventTable } from "./events.ts";

/** What begins something that takes a while. */
const BEGINNINGS = [
  "daemon.flip",
  "daemon.kill",
  "daemon.replace",
  "guest.program",
  "guest.program",
  "guest.unload",
  "guest.unload",
  "host.fewDescriptors",
  "host.stalls",
  "operator.command",
  "operator.command",
  "sound.hesitates",
  "sound.unplug",
  "xl.attach",
  "xl.destroy",
  "xl.detach",
  "xl.save",
  "xl.shutdown",
  "xsnd.provision",
];

/** What comes between. */
const INTRUSIONS = [
  "daemon.flip",
  "daemon.flip",
  "daemon.kill",
  "daemon.replace",
  "daemon.start",
  "guest.killProgram",
  "guest.program",
  "guest.step",
  "guest.unload",
  "host.noMemory",
  "host.stalls",
  "host.stalls",
  "operator.command",
  "sound.fails",
  "sound.hesitates",
  "sound.occupy",
  "sound.stall",
  "sound.unplug",
  "sound.xrun",
  "xenstore.dies",
  "xenstore.hangsUp",
  "xenstore.slow",
  "xl.attach",
  "xl.create",
  "xl.destroy",
  "xl.detach",
  "xl.rename",
  "xsnd.provision",
];

/** The time between the two: mostly so short that nothing else comes between, µs. */
function distance(random: Random): number {
  return random.below(random.pick([1, 300, 3000, 30_000, 300_000]));
}

/** Something comes between, `micros` from now. */
function intrude(world: World, random: Random): void {
  const micros = distance(random);
  const kind = random.pick(INTRUSIONS);
  const seed = random.word();
  world.later(micros, () => world.happens(kind, seed));
}

export const AIMED_EVENTS: EventTable = {
  "aimed.after": {
    weight: 8,
    run(world, random) {
      const kind = random.pick(BEGINNINGS);
      const seed = random.word();
      intrude(world, random);
      world.happens(kind, seed);
    },
  },
  "aimed.at": {
    weight: 8,
    run(world, random) {
      world.moments.aim(random.pick(MOMENTS), () => intrude(world, random));
    },
  },
};
