// SPDX-License-Identifier: MIT
/** Stories of devices that are lost, slow or dry. */
import { ERRNO } from "../../../../ffi/libc/errno.ts";
import type { Random } from "../../machine/random.ts";
import type { HostEnd } from "../../sound/host_card.ts";
import type { World } from "../../world.ts";
import type { EventTable } from "../events.ts";
import { addGuest, reloadDriver } from "../guest_events.ts";
import { stallAlso, stallThread, takeDescriptors } from "../host_events.ts";
import { pauseFor } from "../toolstack_events.ts";
import {
  aGuest,
  aRunningEnd,
  MILLI,
  SECOND,
  slowOpens,
  startPrograms,
  unplug,
  useAgain,
} from "./story_parts.ts";

/** Has a guest play something, and the story told a moment later, which is about a device that runs. */
function playBefore(world: World, random: Random, story: string): void {
  const guest = aGuest(world, random);
  if (guest === undefined || random.oneIn(3)) return;
  startPrograms(world, guest, random);
  const seed = random.word();
  world.later(random.between(SECOND, 2 * SECOND), () => world.happens(story, seed));
}

/** The device stands still for a while. */
function standStill(world: World, end: HostEnd, random: Random): void {
  world.disturbs();
  end.disturbedAt = world.now;
  const micros = random.between(300 * MILLI, 8 * SECOND);
  end.stall(micros, "resume");
  const isLeftAlone = random.oneIn(3);
  if (isLeftAlone) {
    // Somebody looks later whether the device is used.
    for (const after of [2, 9, 11]) {
      world.later(micros + after * SECOND, () => void world.operators.operate("status", [], random));
    }
    return;
  }
  // Perhaps it stands still again at once.
  if (random.oneIn(3)) world.later(micros + random.below(50 * MILLI), () => end.stall(SECOND, "resume"));
  const seed = random.word();
  world.later(random.between(100 * MILLI, micros + 100 * MILLI), () => {
    switch (random.below(4)) {
      case 0:
        return world.happens("story.heldForAMoment", seed);
      case 1:
        return world.administrator.flip(random, 0);
      case 2:
        return world.happens("guest.killProgram", seed);
      case 3:
        return world.happens("operator.command", seed);
    }
  });
}

export const DEVICE_STORIES: EventTable = {
  /** A guest leaves while a device that takes long to open for it fails. Another guest has the slots then, and opens too. */
  "story.slotsNext": {
    weight: 1,
    run(world, random) {
      const guests = world.population.present.filter(({ kernel }) => kernel.streams.length > 0);
      if (guests.length < 2) {
        addGuest(world, random);
        const seed = random.word();
        if (random.oneIn(2)) world.later(4 * SECOND, () => world.happens("story.slotsNext", seed));
        return;
      }
      const first = random.pick(guests);
      const next = random.pick(guests.filter((guest) => guest !== first));
      next.kernel.xenbus.unload();
      for (const program of first.running) program.kill();
      world.later(random.between(100 * MILLI, 300 * MILLI), () => {
        for (const { faults } of slowOpens(world, () => random.between(600 * MILLI, 1000 * MILLI), 4)) {
          faults.fail("open", ERRNO.EIO);
        }
        startPrograms(world, first, random);
        const unload = random.between(MILLI, 100 * MILLI);
        // Perhaps the engine lets go of the slots only when the other guest is there.
        const isSlow = random.oneIn(2);
        world.later(unload, () => {
          const [, engine] = world.daemons.current?.process.threads ?? [];
          if (isSlow && engine !== undefined) {
            stallThread(world, engine, random.between(250 * MILLI, 400 * MILLI));
          }
          reloadDriver(first, 2 * SECOND);
        });
        world.later(unload + random.below(20 * MILLI), () => next.kernel.xenbus.load());
        useAgain(world, next, random);
      });
    },
  },
  /** A device is lost while the host decides that its streams are to use another. */
  "story.lostAsDecided": {
    weight: 1,
    run(world, random) {
      if (world.administrator.options.config === undefined) return;
      const end = aRunningEnd(world, random);
      if (end === undefined) return playBefore(world, random, "story.lostAsDecided");
      world.administrator.flip(random, 0);
      // Perhaps the host decides otherwise before the engine has given the lost device back, and the device is there again.
      const isUndone = random.oneIn(2);
      const away = isUndone ? random.between(60 * MILLI, 100 * MILLI) : random.between(SECOND, 3 * SECOND);
      // The daemon has begun to read its configuration, and hears of the loss after it has decided.
      world.later(20, () => {
        const { current } = world.daemons;
        if (current === undefined) return;
        stallThread(world, current.process.main, 30 * MILLI);
        const [, engine] = current.process.threads;
        if (!isUndone || engine === undefined) return;
        world.moments.aim("log", () => stallAlso(world, engine, 300 * MILLI));
        world.later(80 * MILLI, () => world.administrator.flip(random, 0));
      });
      world.later(random.between(MILLI, 20 * MILLI), () => unplug(world, end, away));
    },
  },
  /** A device is away for longer than the daemon waits before it looks again, and somebody looks later whether it is used. */
  "story.lostAndBack": {
    weight: 1,
    run(world, random) {
      const end = aRunningEnd(world, random);
      if (end === undefined) return;
      unplug(world, end, random.between(1500 * MILLI, 3 * SECOND));
      for (const after of [3, 9, 11]) {
        world.later(after * SECOND, () => void world.operators.operate("status", [], random));
      }
    },
  },
  /**
   * A device stands still, as a sound server does that hangs. Perhaps an operator or the host decides something about its stream
   * meanwhile, or the guest goes.
   */
  "story.deviceStands": {
    weight: 2,
    run(world, random) {
      const guest = aGuest(world, random);
      if (guest !== undefined) startPrograms(world, guest, random);
      world.moments.aim("started", () =>
        world.later(random.below(2 * SECOND), () => {
          const end = aRunningEnd(world, random);
          if (end !== undefined) standStill(world, end, random);
        }));
    },
  },
  /** A device stops by itself, soon after its start. */
  "story.deviceStops": {
    weight: 1,
    run(world, random) {
      world.moments.aim("started", () =>
        world.later(random.below(300 * MILLI), () => {
          const end = aRunningEnd(world, random);
          world.disturbs();
          if (random.oneIn(4)) end?.suspend();
          else end?.xrun();
        }));
    },
  },
  /** A device goes while the daemon can open nothing. */
  "story.noDescriptors": {
    weight: 1,
    run(world, random) {
      world.disturbs();
      takeDescriptors(world, 0, 2 * SECOND);
      const end = aRunningEnd(world, random);
      if (end === undefined) return;
      const away = random.between(4 * SECOND, 8 * SECOND);
      world.later(random.below(50 * MILLI), () => unplug(world, end, away));
    },
  },
  /** A domain is paused while its device plays. The device runs dry, and somebody looks at it now and then. */
  "story.runsDry": {
    weight: 1,
    run(world, random) {
      const guest = aGuest(world, random);
      if (guest === undefined) return;
      startPrograms(world, guest, random);
      const paused = random.between(4 * SECOND, 7 * SECOND);
      world.later(random.between(700 * MILLI, 1500 * MILLI), () => {
        pauseFor(world, guest.domain.domid, paused, random);
      });
      for (let after = 2 * SECOND; after < paused; after += SECOND) {
        world.later(after, () => void world.operators.operate("status", [], random));
      }
    },
  },
};
