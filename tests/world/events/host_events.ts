// SPDX-License-Identifier: MIT
/** What the daemon's host runs out of: processors, memory, descriptors, room for the log. */
import type { Thread } from "../machine/process.ts";
import type { Random } from "../machine/random.ts";
import type { World } from "../world.ts";
import type { EventTable } from "./events.ts";

/** The longest time for which a thread of the daemon has no processor, and what the daemon needs besides to catch up, µs. */
const [MOST_STALL_MICROS, CATCH_UP_MICROS] = [400_000, 200_000];

/** Mappings that fail one after the other, at most. */
const MOST_REFUSALS = 20;

/** A thread of the daemon has no processor for a while: the hypervisor runs other domains, or the kernel other programs. */
function stall(world: World, random: Random): void {
  const run = world.daemons.current;
  if (run === undefined) return;
  const thread = random.pick(run.process.threads);
  stallThread(world, thread, random.between(500, random.oneIn(3) ? MOST_STALL_MICROS : 40_000));
}

/** `thread` has no processor for `micros` µs. A daemon has half of the time, at least. */
export function stallThread(world: World, thread: Thread, micros: number): void {
  if (!world.excuses.isOn("no processor")) stallAlso(world, thread, micros);
}

/** The same, while another thread may be without a processor, too. */
export function stallAlso({ host, excuses, log }: World, thread: Thread, micros: number): void {
  log.write(`${thread.name} has no processor for ${micros} µs`);
  thread.stallUntil(host.clock.now + micros);
  excuses.last("no processor", micros + CATCH_UP_MICROS);
}

/** The threads that wait for what XenStore and clients tell have no processor for `micros` µs: the daemon hears of it late. */
export function stallPool({ daemons, host, excuses, log }: World, micros: number): void {
  const process = daemons.current?.process;
  if (process === undefined || excuses.isOn("no processor")) return;
  log.write(`${process.name}/pool has no processor for ${micros} µs`);
  process.poolStallsUntil = host.clock.now + micros;
  excuses.last("no processor", micros + CATCH_UP_MICROS);
}

/** The daemon may open `left` more descriptors alone, for `micros` µs. */
export function takeDescriptors(world: World, left: number, micros: number): void {
  const { daemons, host: { clock } } = world;
  const process = daemons.current?.process;
  if (process === undefined || process.descriptors <= process.files.size + 16) return;
  world.descriptorsLackedAt = world.now;
  const usual = process.descriptors;
  process.descriptors = process.files.size + left;
  clock.after(micros, () => void (process.descriptors = usual));
}

export const HOST_EVENTS: EventTable = {
  "host.stalls": { weight: 3, run: stall },
  /** The next mappings of guests' pages fail. */
  "host.noMemory": {
    weight: 0.7,
    run({ host: { xen: { hypervisor } } }, random) {
      hypervisor.refusals = Math.min(MOST_REFUSALS, hypervisor.refusals + random.between(1, 4));
    },
  },
  /** The daemon may open no descriptor, or few, for a while. */
  "host.fewDescriptors": {
    weight: 0.7,
    run: (world, random) =>
      takeDescriptors(world, random.oneIn(3) ? 0 : 3 + random.below(4), random.below(4_000_000)),
  },
  /** Nobody reads the log, or its disk is full, for a while. */
  "host.logUnread": {
    weight: 0.7,
    run({ daemons }, random) {
      daemons.current?.log.fail(random.oneIn(3) ? "full" : "unread", random.below(20_000_000));
    },
  },
};
