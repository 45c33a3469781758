// SPDX-License-Identifier: MIT
/** What must hold once the world has come to rest: XenStore, and what the daemon still has. */
import { announcementProblems, backendDirectories, staleCards, stateProblems } from "../toolstack/oracle.ts";
import { processCounters } from "../xen/counters.ts";
import type { Invariant } from "./invariants.ts";

/** µs in which both ends of a card that nobody moves come together. */
const REST_MICROS = 30_000_000;

/** µs in which a daemon has a connection to XenStore again, once the server is there. */
const RECONNECT_MICROS = 10_000_000;

/** Descriptors and timers of a daemon that has nobody to serve. */
const [IDLE_DESCRIPTORS, IDLE_TIMERS] = [9, 2];

export const nothingStale: Invariant = {
  name: "nothingStale",
  check(world, when) {
    const { nodes } = world;
    if (when === "event") return world.account.settle(nodes, "open")[0];
    // What xl leaves of a domain is xl's own business.
    const problems = [...world.account.settle(nodes), ...staleCards(nodes, world.account)];
    const { current } = world.daemons;
    const last = world.daemons.runs.at(-1);
    // Without XenStore a daemon removes nothing as it ends.
    const hadStore = (last?.endedAt ?? 0) - world.host.xen.xenstored.lastHangUp > RECONNECT_MICROS;
    if (current?.servesSince !== undefined) problems.push(...announcementProblems(nodes, "serving"));
    else if (current === undefined && last?.ending === "in order" && hadStore) {
      problems.push(...announcementProblems(nodes, "ended"));
    }
    return problems[0];
  },
};

export const statesKnown: Invariant = {
  name: "statesKnown",
  check(world, when) {
    if (when === "event") return;
    const run = world.daemons.serving(REST_MICROS);
    // Tight limits refuse cards, as they are meant to.
    const isServing = run !== undefined && run.options.guestLimits === undefined;
    const { cards } = world.account;
    const [problem] = stateProblems(world.nodes, cards, ({ address: { domid, card } }) => {
      const domain = world.host.xen.hypervisor.domain(domid);
      const guest = domain && world.population.of(domain);
      const isHonest = guest !== undefined && guest.isHonest && !guest.domain.isPaused;
      // A stock guest registers one card, and after an oops, a restore or a failed probe its driver may be of no use.
      const isWell = isHonest && !guest.kernel.hasOopsed && !guest.wasSaved &&
        !guest.kernel.xenbus.hasFailed(`device/vsnd/${card}`) &&
        cards.filter(({ address }) => address.domid === domid).length === 1;
      const isServed = isServing && isWell &&
        world.history.isServedSince(domid, card, world.now - REST_MICROS);
      return { isHonest, isServed };
    });
    return problem;
  },
};

export const backAtTheBeginning: Invariant = {
  name: "backAtTheBeginning",
  check(world, when) {
    if (when === "event" || world.population.running.length > 0) return;
    const { xen, sound } = world.host;
    for (const { process, servesSince } of world.daemons.running) {
      if (servesSince === undefined) continue;
      const { mappings, pages, ports, watches, transactions } = processCounters(xen, process);
      const engines = process.threads.length - 1;
      const devices = sound.open.filter((pcm) => pcm.process === process).length;
      const has = { mappings, pages, ports, devices, transactions, engines: engines - 1 };
      for (const [what, count] of Object.entries(has)) {
        if (count !== 0) return `${process.name} has ${count} ${what} left, and no guest`;
      }
      // A card that a killed toolstack has left behind is followed as any other.
      const cards = backendDirectories(world.nodes).length;
      if (watches > 2 + 2 * cards) {
        return `${process.name} has ${watches} watches for ${cards} cards, and no guest`;
      }
      const { files, timers } = process;
      if (files.size > IDLE_DESCRIPTORS || timers.size > IDLE_TIMERS) {
        return `${process.name} has ${files.size} descriptors and ${timers.size} timers, and no guest`;
      }
    }
    if (xen.hypervisor.zombies > 0) {
      return `${xen.hypervisor.zombies} domains cannot go, as somebody has their pages mapped`;
    }
  },
};
