// SPDX-License-Identifier: MIT
/**
 * Stories: a few things in an order that chance alone seldom finds. Each is told of somebody who is there, with times drawn by chance,
 * and in the midst of all that happens besides.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { PROMPT } from "../guest/blocking_store.ts";
import type { Random } from "../machine/random.ts";
import type { StreamAccount } from "../guest/account.ts";
import type { Guest } from "../population.ts";
import type { HostEnd } from "../sound/host_card.ts";
import type { World } from "../world.ts";
import type { EventTable } from "./events.ts";
import { addGuest, reloadDriver } from "./guest_events.ts";
import { stallAlso, stallPool, stallThread, takeDescriptors } from "./host_events.ts";
import { deviceEnds, isRunning } from "./hardware_events.ts";
import { patientPlan } from "../operator/plan.ts";
import { targetsOf } from "./operator_events.ts";
import { GUEST_NAMES } from "../toolstack/configurations.ts";
import { anyXlCard } from "../toolstack/xl_card.ts";
import { cardsOf, createGuest, hasRoom, MOST_CARDS } from "./toolstack_events.ts";

const MILLI = 1000;
const SECOND = 1_000_000;
/** How long a guest must have published nothing before the daemon takes its rings (`QUIET_MS`), µs. */
const QUIET = 200 * MILLI;

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

/** The devices take `micros` µs for each of the next `times` opens, unless something else is wrong with them. */
function slowOpens(world: World, micros: () => number, times = 1): HostEnd[] {
  const ends = deviceEnds(world);
  world.disturbs();
  for (const end of ends) end.disturbedAt = world.now;
  const slow = ends.filter(({ faults }) => faults.isEmpty);
  for (const { faults } of slow) faults.slow("open", micros(), times);
  return slow;
}

/** The device goes, and comes back after `micros` µs. */
function unplug(world: World, { card }: HostEnd, micros: number): void {
  world.disturbs();
  for (const end of card.ends) end.disturbedAt = world.now;
  card.unplug();
  world.later(micros, () => {
    world.disturbs();
    card.plugIn();
  });
}

function startPrograms(world: World, guest: Guest, random: Random): void {
  for (let i = 0; i < 3; i++) world.population.startProgram(guest, random);
}

/** Programs start as soon as the guest's card is back. */
function useAgain(world: World, guest: Guest, random: Random, left = 50): void {
  world.later(20 * MILLI, () => {
    if (guest.kernel.streams.length === 0) return left > 0 && useAgain(world, guest, random, left - 1);
    startPrograms(world, guest, random);
  });
}

/** An operator sets something of a stream, which runs if any of the guest's does; the guest comes again, and uses the stream. */
function setAndUse(world: World, guest: Guest, random: Random): void {
  const isRunning = ({ segment }: StreamAccount) => (segment?.starts.length ?? 0) > 0;
  const ofGuest = ({ domid }: { domid: number }) => domid === guest.domain.domid;
  const running = targetsOf(world, isRunning).filter(ofGuest);
  const targets = running.length > 0 ? running : targetsOf(world).filter(ofGuest);
  if (targets.length === 0) return;
  const verb = random.pick(["mute", "volume", "trigger", "trigger", "trace"] as const);
  const plan = patientPlan(verb, random.pick(targets), random);
  world.operators.start({ ...plan, trigger: random.pick(["pause", "stop"]), volume: -6 });
  world.later(2 * SECOND, () => {
    for (const program of guest.running) program.kill();
    if (random.oneIn(3)) world.happens("daemon.kill", random.word());
    else if (random.oneIn(2)) reloadDriver(guest, random.below(20 * MILLI));
    useAgain(world, guest, random);
  });
  for (const after of [5, 7, 9]) world.later(after * SECOND, () => useAgain(world, guest, random));
  world.later(12 * SECOND, () => {
    const undo = verb === "mute" ? "unmute" : verb;
    world.operators.start({ ...plan, verb: undo, trigger: "resume", volume: 0 });
  });
}

/** Has a guest play something, and the story told a moment later, which is about a device that runs. */
function playBefore(world: World, random: Random, story: string): void {
  const guest = aGuest(world, random);
  if (guest === undefined || random.oneIn(3)) return;
  startPrograms(world, guest, random);
  const seed = random.word();
  world.later(random.between(SECOND, 2 * SECOND), () => world.happens(story, seed));
}

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

/** As soon as a hostile guest has a card, it breaks its rings, and the toolstack detaches the card. */
function breakAsDetached(world: World, random: Random, left = 50): void {
  const guest = world.population.running.find(({ hostile }) =>
    hostile?.isBusy === false && hostile.streams.length > 0
  );
  const card = world.account.cards.find(({ address: { domid } }) => domid === guest?.domain.domid)?.address
    .card;
  if (guest?.hostile === undefined || card === undefined) {
    if (left === 0) world.population.isNextHostile = false;
    else world.later(100 * MILLI, () => breakAsDetached(world, random, left - 1));
    return;
  }
  const { hostile, domain: { domid } } = guest;
  hostile.isBusy = hostile.isFollowing = true;
  hostile.connect();
  world.later(random.between(700 * MILLI, 900 * MILLI), () => {
    hostile.isBusy = false;
    const [, ...engines] = world.daemons.current?.process.threads ?? [];
    if (engines.length === 0) return;
    const engine = random.pick(engines);
    world.moments.aim("log", () => stallThread(world, engine, random.between(200 * MILLI, 400 * MILLI)));
    for (const stream of hostile.streams) stream.breakRing();
    world.xl.detach(domid, card, random);
    // Other stories need honest guests, and there is room for few.
    world.later(2 * SECOND, () => void world.xl.destroy(domid, random));
  });
}

/** The kernel of domain `domid` hears once more of the states of its cards' backends. */
function hearAgain({ account, host: { xen: { xenstored: { xenstore } } } }: World, domid: number): void {
  for (const { address } of account.cards.filter(({ address }) => address.domid === domid)) {
    const path = `/local/domain/0/backend/vsnd/${domid}/${address.card}/state`;
    xenstore.fire([{ path, exact: true, permissions: [[{ domid, access: "read" }]] }]);
  }
}

export const STORY_EVENTS: EventTable = {
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
  /** An operator sets something, and the guest uses the stream afterwards: again, or by a connection that is new. */
  "story.setsAndUses": {
    weight: 2,
    run(world, random) {
      const guest = aGuest(world, random);
      if (guest === undefined) return;
      startPrograms(world, guest, random);
      world.later(700 * MILLI, () => setAndUse(world, guest, random));
    },
  },
  /** An operator pauses a stream that has run for a while, and has it go on soon. */
  "story.heldForAMoment": {
    weight: 2,
    run(world, random) {
      const targets = targetsOf(world, ({ segment }) => {
        const [startedAt = Infinity] = segment?.starts ?? [];
        return startedAt + 4 * SECOND < world.now;
      });
      if (targets.length === 0) return;
      const plan = patientPlan("trigger", random.pick(targets), random);
      world.operators.start({ ...plan, trigger: "pause" });
      world.later(random.between(10 * MILLI, 2 * SECOND), () => {
        world.operators.start({ ...plan, trigger: random.pick(["resume", "start"]) });
      });
    },
  },
  /** XenStore dies as it keeps a setting. */
  "story.refusedSetting": {
    weight: 1,
    run(world, random) {
      const { xenstored } = world.host.xen;
      const { current } = world.daemons;
      const targets = targetsOf(world);
      if (current === undefined || targets.length === 0) return;
      xenstored.restartMicros = random.below(300 * MILLI);
      xenstored.dieAtCommitOf(current.process);
      const verb = random.pick(["mute", "unmute", "volume"] as const);
      world.operators.start(patientPlan(verb, random.pick(targets), random));
      world.later(random.between(SECOND, 12 * SECOND), () => world.happens("daemon.kill", random.word()));
    },
  },
  /** Somebody else is faster than the daemon, which keeps a setting in XenStore. The next daemon reads what was kept. */
  "story.lostRace": {
    weight: 1,
    run(world, random) {
      const { host: { xen: { xenstored } }, services: { store } } = world;
      const { current } = world.daemons;
      const targets = targetsOf(world);
      if (current === undefined || targets.length === 0) return;
      const target = random.pick(targets);
      const path = `/local/domain/0/backend/vsnd/${target.domid}/${target.name.split("/").at(-3)}`;
      xenstored.beforeCommitOf(current.process, () => {
        const permissions = store.getPermissions(path);
        if (permissions !== undefined) store.setPermissions(path, permissions);
      });
      world.operators.start(patientPlan(random.pick(["mute", "volume"] as const), target, random));
      world.later(random.between(SECOND, 12 * SECOND), () => world.happens("daemon.kill", random.word()));
    },
  },
  /** Operators wait for a stream that its guest is about to use, for a while. */
  "story.waited": {
    weight: 1,
    run(world, random) {
      const guest = aGuest(world, random);
      if (guest === undefined) return;
      const targets = targetsOf(world).filter(({ domid }) => domid === guest.domain.domid);
      if (targets.length === 0) return;
      for (const program of guest.running) program.kill();
      world.later(random.below(SECOND), () => {
        const target = random.pick(targets);
        for (const verb of ["wait", "wait", "trigger"] as const) {
          const plan = { ...patientPlan(verb, target, random), goal: "open", waitMs: 20_000 } as const;
          world.operators.start({ ...plan, trigger: "resume" });
        }
      });
      world.later(random.between(SECOND, 4 * SECOND), () => startPrograms(world, guest, random));
    },
  },
  /**
   * A toolstack dies as it detaches a card, or a domain dies without any toolstack, so that some nodes outlive the domain. The next
   * domain has the number.
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
        return takeNumber(world, domid, random);
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
  /** The toolstack detaches a card whose streams the daemon is about to let go of: a hostile guest has broken its rings. */
  "story.brokenAsDetached": {
    weight: 1,
    run(world, random) {
      if (!world.population.running.some(({ isHonest }) => !isHonest)) {
        world.population.isNextHostile = true;
        addGuest(world, random);
      }
      breakAsDetached(world, random);
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
};
