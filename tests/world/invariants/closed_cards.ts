// SPDX-License-Identifier: MIT
/** Whether a card that becomes Closed is closed: whoever reads that may take the memory of the card's domain away. */
import { XenbusState } from "../../../lib/xenbus/mod.ts";
import type { Process } from "../machine/process.ts";
import type { World } from "../world.ts";

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

  /** What is wrong, as the node at `path` has changed. */
  problem(path: string): string | undefined {
    const { account, daemons, host: { xen: { hypervisor, xenstored } } } = this.world;
    const [, domid, card] = STATE.exec(path)?.map(Number) ?? [];
    if (domid === undefined || xenstored.peek(path) !== String(XenbusState.Closed)) return;
    // Nobody can tell the pages of two cards apart.
    if (account.cards.filter(({ address }) => address.domid === domid).length > 1) return;
    if (daemons.running.some(({ process }) => this.#giveUps.has(process))) return;
    const domain = hypervisor.domain(domid);
    const count = [...hypervisor.mappings].filter((mapping) => mapping.domain === domain).length;
    if (domain !== undefined && count > 0) {
      return `card ${card} of domain ${domid} is Closed, and ${count} of its mappings are left`;
    }
  }
}
