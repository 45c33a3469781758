// SPDX-License-Identifier: MIT
/**
 * That the daemon leaves no honest guest's stream by itself: a ring is let go of when its guest or the toolstack wants that. And that the
 * daemon waits until a guest has published its rings for good: a kernel that finds InitWait twice publishes twice, and ends the
 * first rings' grants meanwhile.
 */
import { XENSND_FIELD_RING_REF } from "../../../lib/sndif/mod.ts";
import { XenbusState } from "../../../lib/xenbus/mod.ts";
import type { Process } from "../machine/process.ts";
import { isBusy } from "../script.ts";
import type { World } from "../world.ts";
import type { ForeignMapping } from "../xen/hypervisor.ts";

/** What is wrong with a process's letting go of `mapping`, which it does now; undefined: nothing. */
export function leaveProblem(
  world: World,
  { domain, grants, isWritable }: ForeignMapping,
): string | undefined {
  const run = world.daemons.serving();
  const guest = world.population.of(domain);
  const { hypervisor } = world.host.xen;
  if (run === undefined || !run.process.isAlive || grants.length !== 1 || !isWritable) return undefined;
  if (guest === undefined || !guest.isHonest || hypervisor.domain(domain.domid) !== domain) return undefined;
  const gref = grants[0]!.gref;
  const account = [...guest.kernel.accounts].find(({ ringRef }) => ringRef === gref);
  if (account === undefined) return undefined;
  const { nodes } = world;
  const [nodename, place] = account.name.split(" ") as [string, string];
  const frontend = `/local/domain/${domain.domid}/${nodename}`;
  const backend = `/local/domain/0/backend/vsnd/${domain.domid}/${nodename.split("/").at(-1)}`;
  const connected = String(XenbusState.Connected);
  const isConnected = nodes.value(`${frontend}/state`) === connected &&
    nodes.value(`${backend}/state`) === connected && nodes.value(`${backend}/online`) === "1" &&
    nodes.value(`${frontend}/${place}/${XENSND_FIELD_RING_REF}`) === String(gref);
  return isConnected
    ? `${guest.name}(${domain.domid}) ${account.name} is let go of, and both ends are Connected`
    : undefined;
}

/** µs that must have passed since a guest has published, before the daemon takes the rings; less than the daemon's own wait. */
const QUIET_MICROS = 150_000;
/** µs in which the threads of a daemon are woken that has read rings and is about to map them; and the same on a busy host. */
const [WAKING_MICROS, BUSY_WAKING_MICROS] = [5000, 60_000];
/** µs in which a daemon that has just started takes over the rings that there are, at once. */
const TAKING_OVER_MICROS = 1_000_000;

/** When each card's rings were published last, and when before that. */
export class Publications {
  /** By `DOMID/CARD`, µs. */
  readonly #times = new Map<string, readonly [last: number, before: number]>();

  constructor(private readonly world: Pick<World, "seed" | "now" | "daemons" | "host" | "population">) {}

  /** To be called with the path of each node that changes. */
  nodeChanged(path: string): void {
    if (!path.endsWith(`/${XENSND_FIELD_RING_REF}`)) return;
    const [, domid, card] = /^\/local\/domain\/(\d+)\/device\/vsnd\/(\d+)\//.exec(path) ?? [];
    if (card === undefined) return;
    const { now } = this.world;
    const [last, before] = this.#times.get(`${domid}/${card}`) ?? [-Infinity, -Infinity];
    // The rings of all streams are published at once.
    this.#times.set(`${domid}/${card}`, [now, now === last ? before : last]);
  }

  /** What is wrong with a line of the daemon's log; undefined: nothing. */
  refusalProblem(process: Process, text: string): string | undefined {
    const [, card, domid] =
      /\/(\d+): not served until its frontend starts over: .* of domain (\d+)\b/.exec(text) ?? [];
    if (card === undefined) return undefined;
    const { world } = this;
    const run = world.daemons.serving();
    if (run?.process !== process || run.servesSince! + TAKING_OVER_MICROS > world.now) return undefined;
    const domain = world.host.xen.hypervisor.domain(Number(domid));
    const guest = domain && world.population.of(domain);
    if (guest === undefined || !guest.isHonest) return undefined;
    // The daemon has read the rings, and has then waited for the events of all changes up to that.
    const waking = isBusy(world.seed) ? BUSY_WAKING_MICROS : WAKING_MICROS;
    const read = world.now - world.host.xen.xenstored.eventMicros.most - waking;
    const at = this.#times.get(`${domid}/${card}`)?.find((time) => time < read);
    return at === undefined || at + QUIET_MICROS < world.now
      ? undefined
      : `${guest.name}(${domid}) has published rings at ${at}, and is refused: ${text}`;
  }
}
