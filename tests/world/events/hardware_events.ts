// SPDX-License-Identifier: MIT
/** What happens to the host's sound devices. */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import type { Random } from "../machine/random.ts";
import type { HostEnd } from "../sound/host_card.ts";
import { STATE } from "../sound/host_pcm.ts";
import type { World } from "../world.ts";
import type { EventTable } from "./events.ts";

/** Both directions of all devices, other than the null PCM. */
export function deviceEnds({ host: { sound } }: World): HostEnd[] {
  return sound.cards.filter(({ name }) => name !== "null").flatMap(({ ends }) => ends);
}

export function isRunning({ pcms }: HostEnd): boolean {
  return [...pcms].some(({ state }) => state === STATE.RUNNING);
}

/** One direction of one device to which something happens: mostly of a device that runs. */
function anEnd(world: World, random: Random): HostEnd {
  const ends = deviceEnds(world);
  const running = ends.filter(isRunning);
  return random.pick(running.length > 0 && !random.oneIn(4) ? running : ends);
}

/** The same, and for a moment nobody can tell whether the device can be opened. */
function anEndToDisturb(world: World, random: Random): HostEnd {
  const end = anEnd(world, random);
  for (const other of end.card.ends) other.disturbedAt = world.now;
  return end;
}

export const HARDWARE_EVENTS: EventTable = {
  "sound.stall": {
    weight: 4,
    run(world, random) {
      const end = anEnd(world, random);
      end.stall(random.between(1000, 400_000), random.oneIn(2) ? "resume" : "jump");
    },
  },
  "sound.unplug": {
    weight: 3,
    run(world, random) {
      const { card } = anEndToDisturb(world, random);
      if (!card.isPlugged) return card.plugIn();
      card.unplug();
      world.host.clock.after(random.below(5_000_000), () => card.plugIn());
    },
  },
  "sound.occupy": {
    weight: 3,
    run(world, random) {
      const end = anEndToDisturb(world, random);
      if (end.isOccupied) return end.vacate();
      if (end.occupy()) world.host.clock.after(random.below(8_000_000), () => end.vacate());
    },
  },
  "sound.xrun": { weight: 2, run: (world, random) => anEnd(world, random).xrun() },
  "sound.suspend": { weight: 1, run: (world, random) => anEnd(world, random).suspend() },
  "sound.drift": {
    weight: 2,
    run: (world, random) => anEnd(world, random).setDrift(random.between(-500, 500)),
  },
  "sound.shortWrites": {
    weight: 3,
    run(world, random) {
      const sizes = Array.from({ length: random.between(1, 12) }, () => random.between(1, 64));
      anEnd(world, random).faults.short(sizes);
    },
  },
  "sound.fails": {
    weight: 3,
    run(world, random) {
      const call = random.pick(
        ["open", "hw_params", "prepare", "start", "pause", "writei", "readi", "avail"] as const,
      );
      const errno = random.pick([ERRNO.EIO, ERRNO.ENODEV, ERRNO.EBUSY, ERRNO.ENOMEM]);
      anEndToDisturb(world, random).faults.fail(call, errno, random.between(1, 3));
    },
  },
  "sound.slow": {
    weight: 2,
    run(world, random) {
      const call = random.pick(["open", "close", "hw_params", "prepare", "start", "drop", "writei"] as const);
      anEndToDisturb(world, random).faults.slow(call, random.between(100, 20_000), random.between(1, 5));
    },
  },
  /** A device takes its time to open or close, as one that wakes up. */
  "sound.hesitates": {
    weight: 2,
    run(world, random) {
      const call = random.pick(["open", "close"] as const);
      const { faults } = anEndToDisturb(world, random);
      // Slow calls add up, and a driver does not wait for ever.
      if (faults.isEmpty) faults.slow(call, random.between(50_000, 700_000));
    },
  },
};
