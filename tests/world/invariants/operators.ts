// SPDX-License-Identifier: MIT
/** What no operator may be told. */
import type { Asked } from "../operator/record.ts";
import type { World } from "../world.ts";
import type { Invariant } from "./invariants.ts";

/** Fewer clients always find a place. */
const FEW_CLIENTS = 20;
/** µs in which the daemon has learned that a client has gone. */
const LEARN_MICROS = 15_000_000;

/** The requests of a world that have yet to end, and what follows from those that have. */
export class OperatorWitness {
  #taken = 0;
  #waiting: Asked[] = [];
  #crowdedAt = -Infinity;

  /** @param waitProblem what is wrong with how long a request took */
  constructor(
    private readonly asked: () => readonly Asked[],
    private readonly clients: () => number,
    private readonly waitProblem: (asked: Asked) => string | undefined,
  ) {}

  /** The first wrong answer since the last look. */
  look(now: number): string | undefined {
    if (this.clients() >= FEW_CLIENTS) this.#crowdedAt = now;
    const all = this.asked();
    const present = [...this.#waiting, ...all.slice(this.#taken)];
    this.#taken = all.length;
    this.#waiting = present.filter(({ outcome }) => outcome === undefined);
    for (const asked of present) {
      const problem = this.#problem(asked);
      if (problem !== undefined) return `${asked.client}: ${problem}`;
    }
  }

  #problem(asked: Asked): string | undefined {
    const { outcome, sentAt } = asked;
    if (outcome === undefined) return undefined;
    const late = this.waitProblem(asked);
    if (late !== undefined || outcome.kind !== "refused") return late;
    const { error } = outcome;
    if (error.startsWith("the daemon failed")) return error;
    return /has \d+ clients already/.test(error) && this.#crowdedAt + LEARN_MICROS < sentAt
      ? error
      : undefined;
  }
}

export const operatorsServed: Invariant = {
  name: "operatorsServed",
  check: (world: World) => world.operatorWitness.look(world.now),
};
