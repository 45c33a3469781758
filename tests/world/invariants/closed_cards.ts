// SPDX-License-Identifier: MIT
/** Whether a card that becomes Closed is closed: whoever reads that may take the memory of the card's domain away. */
import { XenbusState } from "../../../lib/xenbus/mod.ts";
import type { Process } from "../machine/process.ts";
import type { World } from "../world.ts";
import type { Domain } from "../xen/domain.ts";

const STATE = /^\/local\/domain\/0\/backend\/vsnd\/(\d+)\/(\d+)\/state$/;

/** The daemon has waited for an engine, and waits no longer: what the engine holds stays. */
const GIVEN_UP = / does not come back: /;

export class ClosedCards {
  /** Daemons that have given an engine up. */
  readonly #giveUps = new WeakSet<Process>();

  constructor(private readonly world: World) {}

  logged(process: Process, text: string): void {
    if (GIVEN_UP.test(text)) this.#giveUps.add(process);
  }

  /** The grants of a card's rings, as its guest has published them. A ring that the guest has freed may be another card's buffer now. */
  #ringsOf(domain: Domain, nodename: string): Set<number> {
    const guest = this.world.population.of(domain);
    const hostiles = guest?.hostile?.nodename === nodename ? guest.hostile.streams : [];
    const [own, others] = [new Set(hostiles.flatMap(({ ring }) => ring.grefs)), new Set<number>()];
    for (const { name, ringRef } of guest?.kernel.accounts ?? []) {
      (name.startsWith(`${nodename} `) ? own : others).add(ringRef);
    }
    return own.difference(others);
  }

  /** What is wrong, as the node at `path` has changed. */
  problem(path: string): string | undefined {
    const { daemons, host: { xen: { hypervisor, xenstored } } } = this.world;
    const [, domid, card] = STATE.exec(path)?.map(Number) ?? [];
    if (domid === undefined || xenstored.peek(path) !== String(XenbusState.Closed)) return;
    if (daemons.running.some(({ process }) => this.#giveUps.has(process))) return;
    const domain = hypervisor.domain(domid);
    const rings = domain === undefined ? new Set() : this.#ringsOf(domain, `device/vsnd/${card}`);
    const count =
      [...hypervisor.mappings].filter((mapping) =>
        mapping.domain === domain && mapping.grants.length === 1 && rings.has(mapping.grants[0]!.gref)
      ).length;
    if (count > 0) {
      return `card ${card} of domain ${domid} is Closed, and ${count} of its mappings are left`;
    }
  }
}
