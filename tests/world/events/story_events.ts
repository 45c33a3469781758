// SPDX-License-Identifier: MIT
/**
 * Stories: a few things in an order that chance alone seldom finds. Each is told of somebody who is there, with times drawn by chance,
 * and in the midst of all that happens besides.
 */
import type { Random } from "../machine/random.ts";
import type { Guest } from "../population.ts";
import type { HostEnd } from "../sound/host_card.ts";
import type { World } from "../world.ts";
import type { EventTable } from "./events.ts";
import { reloadDriver } from "./guest_events.ts";
import { stallPool, takeDescriptors } from "./host_events.ts";
import { deviceEnds, isRunning } from "./hardware_events.ts";
import { targetsOf } from "./operator_events.ts";
import { GUEST_NAMES } from "../toolstack/configurations.ts";
import { anyXlCard } from "../toolstack/xl_card.ts";
import { cardsOf, createGuest, hasRoom, MOST_CARDS } from "./toolstack_events.ts";

const MILLI = 1000;
const SECOND = 1_000_000;

/** An honest guest that has a card; `isUsed`: one that has asked for something. */
function aGuest({ population }: World, random: Random, isUsed = false): Guest | undefined {
  const guests = population.present.filter(({ kernel }) =>
    kernel.streams.some(({ account: { requests } }) => !isUsed || requests.length > 0)
  );
  return guests.length === 0 ? undefined : random.pick(guests);
}

/** A device that plays or records. */
function aRunningEnd(world: World, random: Random): HostEnd | undefined {
  const ends = deviceEnds(world).filter(isRunning);
  return ends.length === 0 ? undefined : random.pick(ends);
}

/** Programs start as soon as the guest's card is back. */
function useAgain(world: World, guest: Guest, random: Random, left = 50): void {
  world.later(20 * MILLI, () => {
    if (guest.kernel.streams.length === 0) return left > 0 && useAgain(world, guest, random, left - 1);
    for (let i = 0; i < 3; i++) world.population.startProgram(guest, random);
  });
}

/** Makes a domain as soon as the number `domid` is free, and gives it that. */
function takeNumber(world: World, domid: number, random: Random, left = 50): void {
  world.later(100 * MILLI, () => {
    if (world.host.xen.hypervisor.domain(domid) !== undefined) {
      return left > 0 && takeNumber(world, domid, random, left - 1);
    }
    world.host.xen.hypervisor.nextDomid = domid;
    if (hasRoom(world)) createGuest(world, random, true);
  });
}

export const STORY_EVENTS: EventTable = {
  /** The driver starts over while a device takes its time to open for it. */
  "story.reopens": {
    weight: 1,
    run(world, random) {
      const guest = aGuest(world, random);
      if (guest === undefined) return;
      for (const end of deviceEnds(world)) {
        end.disturbedAt = world.now;
        if (end.faults.isEmpty) end.faults.slow("open", random.between(100 * MILLI, 600 * MILLI));
      }
      for (let i = 0; i < 3; i++) world.population.startProgram(guest, random);
      world.later(random.below(200 * MILLI), () => {
        reloadDriver(guest, random.below(MILLI));
        useAgain(world, guest, random);
      });
    },
  },
  /** A device is away for longer than the daemon waits before it looks again, and somebody looks later whether it is used. */
  "story.lostAndBack": {
    weight: 1,
    run(world, random) {
      const end = aRunningEnd(world, random);
      if (end === undefined) return;
      const { card } = end;
      for (const other of card.ends) other.disturbedAt = world.now;
      card.unplug();
      world.later(random.between(1500 * MILLI, 3 * SECOND), () => card.plugIn());
      for (const after of [3, 9, 11]) {
        world.later(after * SECOND, () => void world.operators.operate("status", [], random));
      }
    },
  },
  /** XenStore dies as it keeps a setting. */
  "story.refusedSetting": {
    weight: 1,
    run(world, random) {
      const { xenstored } = world.host.xen;
      xenstored.restartMicros = random.below(300 * MILLI);
      xenstored.dieAt(random.below(12), "done");
      world.operators.operate(random.pick(["mute", "unmute", "volume"] as const), targetsOf(world), random);
      world.later(random.between(SECOND, 3 * SECOND), () => world.happens("daemon.kill", random.word()));
    },
  },
  /** A toolstack dies as it detaches a card, so that some nodes outlive the domain. The next domain has the number. */
  "story.numberAgain": {
    weight: 1,
    run(world, random) {
      const guest = aGuest(world, random, true);
      if (guest === undefined) return;
      const { domid } = guest.domain;
      for (const { address } of world.account.cards.filter(({ address }) => address.domid === domid)) {
        world.xl.detach(domid, address.card, random).killAfter(random.between(8, 40));
      }
      world.later(random.between(100 * MILLI, SECOND), () => {
        world.xl.destroy(domid, random);
        takeNumber(world, domid, random);
      });
    },
  },
  /** A card is taken away and made again while an engine has no processor. */
  "story.cardAnew": {
    weight: 1,
    run(world, random) {
      const guest = aGuest(world, random);
      if (guest === undefined) return;
      const { domid } = guest.domain;
      world.happens("host.stalls", random.word());
      const [card] = world.account.cards.filter(({ address }) => address.domid === domid);
      if (card !== undefined) world.xl.detach(domid, card.address.card, random);
      world.later(random.below(300 * MILLI), () => {
        if (cardsOf(world, domid) < MOST_CARDS) world.xl.attach(domid, anyXlCard(random), random);
      });
    },
  },
  /** A driver starts over, and XenStore tells of it late; perhaps a daemon starts meanwhile. */
  "story.slowStart": {
    weight: 1,
    run(world, random) {
      const guest = aGuest(world, random);
      if (guest === undefined) return;
      world.happens("xenstore.slow", random.word());
      reloadDriver(guest, random.below(20 * MILLI));
      useAgain(world, guest, random);
      if (random.oneIn(2)) world.happens("daemon.replace", random.word());
    },
  },
  /** The streams of the guests that the configuration names are denied while one of the drivers connects. */
  "story.deniedAsItConnects": {
    weight: 2,
    run(world, random) {
      if (world.administrator.options.config === undefined) return;
      const guests = world.population.present.filter(({ name }) =>
        GUEST_NAMES.some((known) => known === name)
      );
      if (guests.length === 0) return;
      const guest = random.pick(guests);
      reloadDriver(guest, random.below(20 * MILLI));
      useAgain(world, guest, random);
      world.moments.aim("connecting", () => world.administrator.flip(random, 0));
    },
  },
  /** A driver starts over. The daemon has heard of some of the driver's nodes, reads all, and hears of the others after it has connected. */
  "story.lateNews": {
    weight: 1,
    run(world, random) {
      const guest = aGuest(world, random);
      if (guest === undefined) return;
      reloadDriver(guest, random.below(20 * MILLI));
      useAgain(world, guest, random);
      const stall = () => stallPool(world, random.between(210 * MILLI, 400 * MILLI));
      world.moments.aim("published", () => world.later(random.below(2 * MILLI), stall));
    },
  },
  /** A device stops by itself, soon after its start. */
  "story.deviceStops": {
    weight: 1,
    run(world, random) {
      world.moments.aim("started", () =>
        world.later(random.below(300 * MILLI), () => {
          const end = aRunningEnd(world, random);
          if (random.oneIn(4)) end?.suspend();
          else end?.xrun();
        }));
    },
  },
  /** A device goes while the daemon can open nothing. */
  "story.noDescriptors": {
    weight: 1,
    run(world, random) {
      takeDescriptors(world, 0, 2 * SECOND);
      const end = aRunningEnd(world, random);
      if (end === undefined) return;
      for (const other of end.card.ends) other.disturbedAt = world.now;
      world.later(random.below(50 * MILLI), () => end.card.unplug());
      world.later(random.between(4 * SECOND, 8 * SECOND), () => end.card.plugIn());
    },
  },
};
