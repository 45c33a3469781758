// SPDX-License-Identifier: MIT
/** What toolstacks do to domains and cards. */
import type { Random } from "../machine/random.ts";
import type { AnyProgram } from "../toolstack/steps.ts";
import { GUEST_NAMES } from "../toolstack/configurations.ts";
import { anyXlCard } from "../toolstack/xl_card.ts";
import { CONFIG_FILE } from "../daemon.ts";
import type { World } from "../world.ts";
import type { EventTable } from "./events.ts";

/** Cards that a guest gets by attaching. */
export const MOST_CARDS = 3;
/** Guests at a time. */
const MOST_GUESTS = 4;
const NAMES = [...GUEST_NAMES, "web"];
const DEVICES = ["hw:0", "hw:0", "hw:1", "plughw:0", "pulse"];

function aDomain(world: World, random: Random): number | undefined {
  const domids = world.population.running.map(({ domain }) => domain.domid);
  return domids.length === 0 ? undefined : random.pick(domids);
}

export function cardsOf(world: World, domid: number): number {
  return world.account.cards.filter(({ address }) => address.domid === domid).length;
}

/** Now and then the toolstack's program is killed at some step. */
function perhapsKilled(program: AnyProgram, random: Random): void {
  if (random.oneIn(8)) program.killAfter(random.below(40));
}

/** Whether there may be one more guest, those included that are being made, or are in files. */
export function hasRoom({ host, saved }: World): boolean {
  return host.xen.hypervisor.domains.length + saved.length <= MOST_GUESTS;
}

/** Makes a guest with some cards; `isSafe`: with one at least, by a toolstack that is not killed. */
export function createGuest(world: World, random: Random, isSafe = false): void {
  const count = random.pick(isSafe ? [1, 1, 1, 2] : [0, 1, 1, 1, 1, 2]);
  const cards = Array.from({ length: count }, () => anyXlCard(random));
  const taken = new Set(world.account.domains.map(({ name }) => name));
  const free = NAMES.filter((name) => !taken.has(name));
  const program = world.xl.create(
    random.pick(free.length > 0 && !random.oneIn(6) ? free : NAMES),
    cards,
    random,
  );
  if (!isSafe) perhapsKilled(program, random);
}

/** The domain is paused for `micros` µs. */
export function pauseFor({ host, xl }: World, domid: number, micros: number, random: Random): void {
  xl.pause(domid, random);
  host.clock.after(micros, () => {
    if (host.xen.hypervisor.domain(domid) !== undefined) xl.unpause(domid, random);
  });
}

export const TOOLSTACK_EVENTS: EventTable = {
  "xl.create": {
    weight: 8,
    run(world, random) {
      if (hasRoom(world)) createGuest(world, random);
    },
  },
  "xl.destroy": {
    weight: 0.4,
    run(world, random) {
      const domid = aDomain(world, random);
      if (domid !== undefined) perhapsKilled(world.xl.destroy(domid, random), random);
    },
  },
  "xl.shutdown": {
    weight: 0.8,
    run(world, random) {
      const domid = aDomain(world, random);
      if (domid !== undefined) {
        perhapsKilled(world.xl.shutdown(domid, random.oneIn(3) ? "poweroff" : "reboot", random), random);
      }
    },
  },
  "xl.attach": {
    weight: 2,
    run(world, random) {
      const domid = aDomain(world, random);
      if (domid !== undefined && cardsOf(world, domid) < MOST_CARDS) {
        perhapsKilled(world.xl.attach(domid, anyXlCard(random), random), random);
      }
    },
  },
  "xl.detach": {
    weight: 0.8,
    run(world, random) {
      const cards = world.account.cards;
      if (cards.length === 0) return;
      const { address } = random.pick(cards);
      perhapsKilled(world.xl.detach(address.domid, address.card, random), random);
    },
  },
  "xl.rename": {
    weight: 0.6,
    run(world, random) {
      const domid = aDomain(world, random);
      if (domid !== undefined) perhapsKilled(world.xl.rename(domid, random.pick(NAMES), random), random);
    },
  },
  "xl.pause": {
    weight: 0.8,
    run(world, random) {
      const domid = aDomain(world, random);
      if (domid === undefined) return;
      pauseFor(world, domid, random.below(random.oneIn(4) ? 4_000_000 : 400_000), random);
    },
  },
  "xl.save": {
    weight: 0.5,
    run(world, random) {
      const domid = aDomain(world, random);
      if (domid === undefined) return;
      const program = random.oneIn(3) ? world.xl.checkpoint(domid, random) : world.xl.save(domid, random);
      program.whenEnded((outcome) => {
        if (outcome.kind === "done") world.saved.push(outcome.value);
      });
      perhapsKilled(program, random);
    },
  },
  "xl.restore": {
    weight: 3,
    run(world, random) {
      const saved = world.saved.shift();
      if (saved !== undefined) perhapsKilled(world.xl.restore(saved, random), random);
    },
  },
  "xl.migrate": {
    weight: 0.3,
    run(world, random) {
      const domid = aDomain(world, random);
      if (domid !== undefined) perhapsKilled(world.xl.migrate(domid, random), random);
    },
  },
  "xsnd.provision": {
    weight: 2.5,
    run(world, random) {
      const domid = aDomain(world, random);
      if (domid === undefined) return;
      const command = world.provisioner.provision({
        ...(random.oneIn(3)
          ? { file: CONFIG_FILE }
          : { domain: String(domid), device: random.pick(DEVICES) }),
        isReplacing: random.oneIn(4),
        ...(random.oneIn(3) &&
          { wait: random.pick(["initwait", "connected"] as const), timeout: random.between(1, 10) }),
      });
      if (random.oneIn(8)) command.process.killAfter(random.below(60));
    },
  },
  "xsnd.deprovision": {
    weight: 0.6,
    run(world, random) {
      const domid = aDomain(world, random);
      if (domid === undefined) return;
      const command = world.provisioner.deprovision({
        domain: String(domid),
        timeout: random.between(1, 10),
        force: random.oneIn(4),
      });
      if (random.oneIn(8)) command.process.killAfter(random.below(60));
    },
  },
};
