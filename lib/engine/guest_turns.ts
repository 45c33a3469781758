// SPDX-License-Identifier: MIT
/**
 * Which guests the engine may serve now. Each turn of the engine is a turn of each guest's, too, which ends when the guest has
 * claimed its share. A guest whose {@link GuestBudget} is used up rests: none of its streams is served until the budget has
 * come in again.
 */
import { GuestBudget } from "./guest_budget.ts";

/** How often resting guests are looked at. */
export const REST_MS = 5;

/** Times are of a `MicrosClock`. Nothing here allocates, but the first stream of a guest. */
export class GuestTurns {
  /** By domid. A guest that connects anew finds its budget as it was: there are no more of them than there can be domains. */
  readonly #budgets = new Map<number, GuestBudget>();
  readonly #resting = new Set<GuestBudget>();
  /** When the resting guests were last looked at. */
  #lookedAt = 0;
  #turn = 0;

  /** The engine begins its next turn. */
  begin(): void {
    this.#turn = this.#turn + 1 | 0;
  }

  /** The budget that all streams of the guest share. */
  budgetOf({ domid, requests, moved }: { domid: number; requests: number; moved: number }): GuestBudget {
    const budget = this.#budgets.get(domid) ?? new GuestBudget(requests, moved);
    this.#budgets.set(domid, budget);
    return budget;
  }

  /** Whether any guest rests. */
  get anyRests(): boolean {
    return this.#resting.size > 0;
  }

  rests(budget: GuestBudget): boolean {
    return this.#resting.has(budget);
  }

  /** Whether the guest may be served: it does not rest, and its turn has not ended. */
  mayServe(budget: GuestBudget): boolean {
    return !this.#resting.has(budget) && budget.hasTurn(this.#turn);
  }

  /** The guest rests from `now` on. */
  rest(budget: GuestBudget, now: number): void {
    if (this.#resting.size === 0) this.#lookedAt = now;
    this.#resting.add(budget);
  }

  /** Ends the rest of each guest whose budget has come in again by `now`. Returns true if there was one. */
  endRests(now: number): boolean {
    if ((now - this.#lookedAt | 0) < REST_MS * 1000) return false;
    this.#lookedAt = now;
    let ended = false;
    for (const budget of this.#resting) {
      if (!budget.isUsedUp(now)) ended = this.#resting.delete(budget);
    }
    return ended;
  }
}
