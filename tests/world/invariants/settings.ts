// SPDX-License-Identifier: MIT
/** Holds, mutes and volumes: see `operator/oracle.ts`. What is held or muted is not heard, and what is quieter is not heard as it was. */
import { placeInCard } from "../../../lib/stream/stream_name.ts";
import type { StreamAccount } from "../guest/account.ts";
import { SettingsOracle } from "../operator/oracle.ts";
import type { Guest } from "../population.ts";
import type { World } from "../world.ts";
import { placeOf } from "./allowed.ts";
import type { Invariant } from "./invariants.ts";

/** How long the daemon may take to learn that a client has gone, and to answer what it has carried out, µs. */
const [GRACE_MICROS, ANSWER_MICROS] = [2_000_000, 10_000_000];
/** The same, in a world where the daemon has been without descriptors: it takes no client then. */
const LATE_GRACE_MICROS = 6_000_000;

/** The oracle of a world that has a host, and has operators before the first look. */
export function settingsOracle(world: World): SettingsOracle {
  return new SettingsOracle({
    clock: world.host.clock,
    store: world.host.xen.xenstored,
    asked: () => world.operators.asked,
    hasEnded: (from, to) =>
      world.daemons.runs.some(({ endedAt }) => endedAt !== undefined && endedAt >= from && endedAt <= to),
    wasStoreLost: (from, to) => world.host.xen.xenstored.hasHungUp(from, to),
    cards: () =>
      world.account.cards.map(({ address: { domid, card }, version, states }) => ({
        domid,
        card,
        // While a command is about to write the card, each look may find another one.
        identity: [states.length === 1 ? version : {}],
        names: world.account.namesOf(domid),
      })),
  }, {
    get grace() {
      return world.descriptorsLackedAt >= 0 ? LATE_GRACE_MICROS : GRACE_MICROS;
    },
    answer: ANSWER_MICROS,
  });
}

/** µs after which nothing is heard any more that a device had in its buffer as a setting came into force. */
const FADE_MICROS = 3_000_000;
/** A stream at this volume, dB, or below has no frame as its guest wrote it. */
const QUIETER = -1;
/** Fewer frames in a row may be any noise. */
const LEAST_FRAMES = 16;

/** What is heard as its guest wrote it, of streams that are not to be heard so. */
export class Loudness {
  /** What may be wrong: a command may have changed the setting since the last look. */
  #suspicions: (() => string | undefined)[] = [];

  constructor(private readonly world: World) {}

  /** `frames` frames of the stream were heard from `from` on. */
  heard(guest: Guest, account: StreamAccount, frames: number, from: number): void {
    if (frames < LEAST_FRAMES) return;
    const problem = () => this.#problem(guest, account, from);
    if (problem() !== undefined) this.#suspicions.push(problem);
  }

  #problem(guest: Guest, account: StreamAccount, from: number): string | undefined {
    const { domid, card, pcm, stream } = placeOf(guest, account);
    const steady = this.world.settings.steady(domid, card, placeInCard(pcm, stream));
    if (steady === undefined || steady.since + FADE_MICROS > from) return undefined;
    if (!this.world.settings.isSettled(domid, card, placeInCard(pcm, stream), from)) return undefined;
    const { hold, muted, volume } = steady.settings;
    const wrong = hold !== "none"
      ? hold
      : muted
      ? "muted"
      : volume <= QUIETER
      ? `at ${volume} dB`
      : undefined;
    return wrong &&
      `${guest.name}(${domid}) ${account.name} is ${wrong} since ${steady.since}, and is heard as ever at ${from}`;
  }

  /** What is wrong, by the settings as they are now. To be called after a look at these. */
  take(): string | undefined {
    const suspicions = this.#suspicions;
    this.#suspicions = [];
    for (const problem of suspicions) {
      const text = problem();
      if (text !== undefined) return text;
    }
  }
}

export const settingsInForce: Invariant = {
  name: "settingsInForce",
  check: (world) => world.settings.look() ?? world.loudness.take(),
};
