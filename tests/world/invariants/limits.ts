// SPDX-License-Identifier: MIT
/**
 * What the daemon holds for guests: no more than the guests' limits allow, and no more descriptors, watches and timers than its cards
 * account for. And no guest is refused memory for a limit that it has not reached.
 */
import { DEFAULT_LIMITS, type GuestLimits } from "../../../lib/daemon/policy/guest_limits.ts";
import { STAGING_BYTES } from "../../../lib/pcm/pcm.ts";
import { XEN_PAGE_SIZE } from "../../../lib/xen/ports.ts";
import type { DaemonRun } from "../daemon.ts";
import type { Process } from "../machine/process.ts";
import { SocketFile } from "../machine/socket_file.ts";
import { backendDirectories } from "../toolstack/oracle.ts";
import type { World } from "../world.ts";
import { processCounters } from "../xen/counters.ts";
import { channelsOf } from "../xen/libxenevtchn.ts";
import { foreignMappings } from "../xen/libxengnttab.ts";
import { Admission } from "./admission.ts";
import type { Invariant } from "./invariants.ts";

/** Threads of a daemon beside the guests' own engines: the main thread, and the engine that all share. */
const THREADS = 2;
const PAGES_A_MIB = (1 << 20) / XEN_PAGE_SIZE;

/** Requests a second, and MiB of sound a second, of which a player or two claim more. */
const [FEW_REQUESTS, LITTLE_SOUND] = [1000, 8];

/** Whether an ordinary guest may use up its budget, and is served late then. */
export function hasTightBudgets({ daemons }: World): boolean {
  const { guestLimits } = daemons.current?.options ?? {};
  return guestLimits !== undefined &&
    (guestLimits.requests < FEW_REQUESTS || guestLimits.moved < LITTLE_SOUND);
}

export const withinLimits: Invariant = {
  name: "withinLimits",
  check(world) {
    Admission.of(world).look();
    for (const run of world.daemons.running) {
      const limits = run.options.guestLimits ?? DEFAULT_LIMITS;
      const { process } = run;
      const problem = pageProblem(process, limits) ?? channelProblem(process, limits) ??
        holdingProblem(world, run);
      if (problem !== undefined) return `${process.name}: ${problem}`;
    }
  },
};

function pageProblem(process: Process, { mapped, totalMapped }: GuestLimits): string | undefined {
  const pages = new Map<number, number>();
  let sum = 0;
  for (const { domain: { domid }, grants } of foreignMappings(process)) {
    if (new Set(grants).size !== grants.length) {
      return `a page of domain ${domid} stands several times in one mapping of ${grants.length} pages`;
    }
    pages.set(domid, (pages.get(domid) ?? 0) + grants.length);
    sum += grants.length;
  }
  if (sum > totalMapped * PAGES_A_MIB) return `${sum} pages are mapped; the limit is ${totalMapped} MiB`;
  for (const [domid, count] of pages) {
    if (count > mapped * PAGES_A_MIB) {
      return `${count} pages of domain ${domid} are mapped; the limit is ${mapped} MiB`;
    }
  }
}

/** Streams have two ports each; the first handle on event channels is that of the engine which all guests share. */
function channelProblem(
  process: Process,
  { streams, engines, totalEngines }: GuestLimits,
): string | undefined {
  const own = process.threads.length - THREADS;
  if (own > totalEngines) return `${own} engines beside the shared one; the limit is ${totalEngines}`;
  const ports = new Map<number, number>();
  const handles = new Map<number, number>();
  for (const [index, counts] of channelsOf(process).entries()) {
    for (const [domid, count] of counts) {
      ports.set(domid, (ports.get(domid) ?? 0) + count);
      if (index > 0) handles.set(domid, (handles.get(domid) ?? 0) + 1);
    }
  }
  for (const [domid, count] of ports) {
    if (count > 2 * streams) {
      return `${count} channels of domain ${domid} are bound; the limit is ${streams} streams`;
    }
  }
  for (const [domid, count] of handles) {
    if (count > engines) return `domain ${domid} has ${count} engines of its own; the limit is ${engines}`;
  }
}

/** What is there without cards and guests, with room for what begins or ends just now. */
const [WATCHES, TIMERS, DESCRIPTORS] = [8, 16, 15];

/**
 * A card has two watches, and two timers: its own, and that of a look at what has changed. A stream and a client have one timer, and so
 * has a mute with an end. An engine has two descriptors. A stream has two: the timer of its stand-in, and its device, which has one more
 * if it is libasound's. A PCM of plugins has two more: a timer looks at its pointer.
 */
function holdingProblem(world: World, { process, servesSince }: DaemonRun): string | undefined {
  if (servesSince === undefined) return undefined;
  const { xen, sound } = world.host;
  const cards = cardsLately(world, process);
  heldLately(process);
  const { watches, ports } = processCounters(xen, process);
  const files = [...process.files.values()];
  const clients = files.filter((file) => file instanceof SocketFile).length;
  const devices = sound.open.filter((pcm) => pcm.process === process);
  const plugins = devices.filter(({ type }) => type !== "HW").length;
  const engines = lately(process, "engines", process.threads.length - 1);
  const bounds = {
    watches: [watches, WATCHES + 2 * cards],
    timers: [process.timers.size, TIMERS + 2 * cards + clients + ports / 2 + mutesWithEnd(world)],
    descriptors: [files.length, DESCRIPTORS + clients + 2 * engines + ports + devices.length + plugins],
  };
  for (const [what, [has, most]] of Object.entries(bounds)) {
    if (has! > most!) {
      return `${has} ${what} for ${cards} cards, ${
        ports / 2
      } streams and ${clients} clients; ${most} at most`;
    }
  }
}

function mutesWithEnd({ nodes }: World): number {
  return backendDirectories(nodes).reduce((sum, card) => {
    const pcms = nodes.children(`${card}/operator`).map((pcm) => `${card}/operator/${pcm}`);
    const streams = pcms.flatMap((pcm) => nodes.children(pcm).map((stream) => `${pcm}/${stream}`));
    return sum + streams.filter((stream) => nodes.children(stream).includes("muted-until")).length;
  }, 0);
}

/** µs in which the main thread gives back what an engine had whose thread has ended, or what a card had that has gone. */
const GIVE_BACK_MICROS = 3_000_000;

/** The most cards within the last moments. To be called when a daemon begins to serve, too: some may go before the first check. */
export function cardsLately({ nodes }: World, process: Process): number {
  return lately(process, "cards", backendDirectories(nodes).length);
}

const mosts = new WeakMap<Process, Map<string, { count: number; at: number }>>();

/** The most that there has been of `what` within the last moments, where there are `count` now. */
function lately(process: Process, what: string, count: number): number {
  let most = mosts.get(process);
  if (most === undefined) mosts.set(process, most = new Map());
  const { now } = process.clock;
  const before = most.get(what);
  if (before !== undefined && before.count > count && before.at + GIVE_BACK_MICROS > now) return before.count;
  most.set(what, { count, at: now });
  return count;
}

/** What the daemon says when a limit of memory is reached: one guest's, or that of all. */
const REFUSAL = /(its guest has|all guests together have) ([\d.]+) KiB; .* --guest-limits (?:total-)?mapped=/;

/**
 * What is wrong with `text`, which a daemon has just logged: who is refused memory has not so much. The daemon logs some time after it
 * has refused, and may have given memory back meanwhile.
 */
export function refusalProblem(process: Process, text: string): string | undefined {
  const { one, all } = heldLately(process);
  const [, who, kib] = REFUSAL.exec(text) ?? [];
  if (kib === undefined) return undefined;
  const most = who === "its guest has" ? one : all;
  if (Number(kib) * 1024 <= most) return undefined;
  return `memory is refused, and no more than ${most >> 10} KiB are held: ${text}`;
}

/**
 * The octets that the daemon may have held lately for one guest, and for all: two copies of a buffer at most, and what samples are moved
 * through.
 */
function heldLately(process: Process): { one: number; all: number } {
  const held = new Map<number, number>();
  const add = (domid: number, octets: number) => held.set(domid, (held.get(domid) ?? 0) + octets);
  for (const { domain: { domid }, grants } of foreignMappings(process)) {
    add(domid, 3 * grants.length * XEN_PAGE_SIZE + 2 * STAGING_BYTES);
  }
  // Of a stream's mappings two are no buffer, and have two ports.
  for (const counts of channelsOf(process)) {
    for (const [domid, ports] of counts) add(domid, -2 * STAGING_BYTES * ports);
  }
  const amounts = [0, ...held.values()];
  return {
    one: lately(process, "octets of a guest", Math.max(...amounts)),
    all: lately(process, "octets", amounts.reduce((sum, amount) => sum + Math.max(0, amount))),
  };
}
