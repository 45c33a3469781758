// SPDX-License-Identifier: MIT
/** Stories of cards and domains that come and go, and of drivers that start over. */
import { PROMPT } from "../../guest/blocking_store.ts";
import type { Random } from "../../machine/random.ts";
import { GUEST_NAMES } from "../../toolstack/configurations.ts";
import { anyXlCard } from "../../toolstack/xl_card.ts";
import type { World } from "../../world.ts";
import type { EventTable } from "../events.ts";
import { reloadDriver } from "../guest_events.ts";
import { stallPool, stallThread } from "../host_events.ts";
import { cardsOf, createGuest, hasRoom, MOST_CARDS } from "../toolstack_events.ts";
import { aGuest, MILLI, SECOND, slowOpens, startPrograms, useAgain } from "./story_parts.ts";

/** How long a guest must have published nothing before the daemon takes its rings (`QUIET_MS`), µs. */
const QUIET = 200 * MILLI;

/** Makes a domain as soon as the number `domid` is free, and gives it that. */
function takeNumber(world: World, domid: number, random: Random, left = 50): void {
  world.later(100 * MILLI, () => {
    if (world.host.xen.hypervisor.domain(domid) !== undefined) {
      return left > 0 && takeNumber(world, domid, random, left - 1);
    }
    world.host.xen.hypervisor.nextDomid = domid;
    if (hasRoom(world)) createGuest(world, random, true);
    for (const after of [4, 7, 12]) {
      world.later(after * SECOND, () => void world.operators.operate("status", [], random));
    }
  });
}

/** The kernel of domain `domid` hears once more of the states of its cards' backends. */
function hearAgain({ account, host: { xen: { xenstored: { xenstore } } } }: World, domid: number): void {
  for (const { address } of account.cards.filter(({ address }) => address.domid === domid)) {
    const path = `/local/domain/0/backend/vsnd/${domid}/${address.card}/state`;
    xenstore.fire([{ path, exact: true, permissions: [[{ domid, access: "read" }]] }]);
  }
}

export const CARD_STORIES: EventTable = {
  /** The driver starts over while a device takes its time to open for it. */
  "story.reopens": {
    weight: 1,
    run(world, random) {
      const guest = aGuest(world, random);
      if (guest === undefined) return;
      slowOpens(world, () => random.between(100 * MILLI, 600 * MILLI));
      startPrograms(world, guest, random);
      world.later(random.below(200 * MILLI), () => {
        reloadDriver(guest, random.below(MILLI));
        useAgain(world, guest, random);
      });
    },
  },
  /**
   * A toolstack dies as it detaches a card, or a domain dies without any toolstack, so that some nodes outlive the domain. Perhaps
   * a daemon starts, which has never known the domain. The next domain has the number.
   */
  "story.numberAgain": {
    weight: 1,
    run(world, random) {
      const guest = aGuest(world, random, true);
      if (guest === undefined) return;
      const { domid } = guest.domain;
      if (random.oneIn(2)) {
        world.log.write(`${guest.name}(${domid}) dies`);
        world.services.hypervisor.destroyDomain(domid);
        world.account.domainLost(domid);
        if (random.oneIn(2)) return takeNumber(world, domid, random);
        world.happens("daemon.kill", random.word());
        world.later(random.between(SECOND, 4 * SECOND), () => takeNumber(world, domid, random));
        return;
      }
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
  /** A driver goes while an engine has no processor. The card goes too, before the engine has let go of the streams. */
  "story.leavesAndGoes": {
    weight: 1,
    run(world, random) {
      const guest = aGuest(world, random, true);
      const [, engine] = world.daemons.current?.process.threads ?? [];
      if (guest === undefined || engine === undefined) return;
      const { domid } = guest.domain;
      stallThread(world, engine, random.between(200 * MILLI, 400 * MILLI));
      for (const program of guest.running) program.kill();
      if (random.oneIn(2)) guest.kernel.xenbus.unload();
      else reloadDriver(guest, random.below(20 * MILLI));
      world.later(random.between(MILLI, 150 * MILLI), () => {
        const [card] = world.account.cards.filter(({ address }) => address.domid === domid);
        if (card !== undefined && random.oneIn(2)) world.xl.detach(domid, card.address.card, random);
        else world.xl.destroy(domid, random);
      });
    },
  },
  /**
   * A guest gets a card, and is late to look at it. It finds the same state of the backend for each of the changes that have come
   * meanwhile: InitWait, and InitWait again.
   */
  "story.noticesLate": {
    weight: 2,
    run(world, random) {
      const guest = aGuest(world, random);
      if (guest === undefined) return;
      const { kernel: { store }, domain: { domid } } = guest;
      // A kernel that waits for a program to close its PCM looks at no card.
      for (const program of guest.running) program.kill();
      const [card] = world.account.cards.filter(({ address }) => address.domid === domid);
      if (card !== undefined) world.xl.detach(domid, card.address.card, random);
      world.later(random.between(SECOND, 2 * SECOND), () => {
        const { now } = world;
        store.pace = {
          lateness: () => random.pick([QUIET - random.below(20 * MILLI), random.below(700 * MILLI)]),
          // The device is there before its backend waits.
          duration: () => world.now < now + QUIET ? PROMPT.duration() : random.between(1, 20 * MILLI),
        };
        world.later(5 * SECOND, () => store.pace = PROMPT);
        if (cardsOf(world, domid) < MOST_CARDS) world.xl.attach(domid, anyXlCard(random), random);
        useAgain(world, guest, random);
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
  /**
   * A driver starts over, and publishes its rings once more while the daemon, which has no processor, is taking them. The kernel has
   * heard of its backend's state again, as it does of all that it watches when xenstored is updated.
   */
  "story.hearsAgain": {
    weight: 1,
    run(world, random) {
      const guest = aGuest(world, random);
      if (guest === undefined) return;
      const { domid } = guest.domain;
      reloadDriver(guest, random.below(20 * MILLI));
      useAgain(world, guest, random);
      world.moments.aim("connecting", () => {
        hearAgain(world, domid);
        const { main } = world.daemons.current!.process;
        stallThread(world, main, random.between(MILLI, 5 * MILLI));
      });
    },
  },
  /**
   * A guest closes its PCM while no daemon serves, and gives the CLOSE up. The next daemon answers the CLOSE, for which the driver does
   * not look any more: what the ring says of the answer that the driver waits for is old as the guest opens the PCM again.
   */
  "story.closesInVain": {
    weight: 1,
    run(world, random) {
      const guest = aGuest(world, random, true);
      if (guest === undefined) return;
      startPrograms(world, guest, random);
      world.later(random.between(500 * MILLI, 2 * SECOND), () => {
        world.daemons.current?.process.kill();
        for (const program of guest.running) program.kill();
        world.later(
          random.between(3200 * MILLI, 5 * SECOND),
          () => world.happens("daemon.start", random.word()),
        );
      });
      for (const after of [8, 9, 11]) world.later(after * SECOND, () => useAgain(world, guest, random));
    },
  },
};
