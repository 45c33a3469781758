// SPDX-License-Identifier: MIT
/** Holds, mutes and volumes: see `operator/oracle.ts`. */
import { SettingsOracle } from "../operator/oracle.ts";
import type { World } from "../world.ts";
import type { Invariant } from "./invariants.ts";

/** How long the daemon may take to learn that a client has gone, and to answer what it has carried out, µs. */
const PATIENCE = { grace: 2_000_000, answer: 10_000_000 };

/** The oracle of a world that has a host, and has operators before the first look. */
export function settingsOracle(world: World): SettingsOracle {
  return new SettingsOracle({
    clock: world.host.clock,
    store: world.host.xen.xenstored,
    asked: () => world.operators.asked,
    cards: () =>
      world.account.cards.map(({ address: { domid, card }, version, states }) => ({
        domid,
        card,
        // While a command is about to write the card, each look may find another one.
        identity: [states.length === 1 ? version : {}],
      })),
  }, PATIENCE);
}

export const settingsInForce: Invariant = {
  name: "settingsInForce",
  check: (world) => world.settings.look(),
};
