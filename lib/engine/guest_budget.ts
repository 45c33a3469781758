// SPDX-License-Identifier: MIT
/**
 * How much of an engine's time a guest may claim, with all of its streams there together. A guest that claims more rests a little
 * whenever its budget is used up: its requests are answered later, its samples move later, and nobody else waits.
 *
 * A token bucket: capacity 1 s, refilled at 1 s per second. What a guest does has a price, which is several times what it takes
 * on the machines that it was measured on, so that a guest that is always at its limit leaves most of the engine to others:
 *
 * | what                                                 | price                           | takes           |
 * | ---------------------------------------------------- | ------------------------------- | --------------- |
 * | a request                                            | 1 s / requests (100 µs)         | 20 to 30 µs     |
 * | OPEN, CLOSE, a first query: the main thread serves it | 5 ms, and 10 µs a page of OPEN's | 1 to 3 ms, 4 µs |
 * | TRIGGER, which may stop and prepare the card         | 1 ms                            | 0.1 to 0.5 ms   |
 * | a query that the engine answers                      | 0.2 ms                          | 20 to 60 µs     |
 * | an octet moved                                       | 1 s / moved (8 ns)              | 0.1 to 0.3 ns   |
 * | a sample whose volume is changed                     | as 16 octets (125 ns)           | 25 to 45 ns     |
 * | a card's interrupt                                   | 20 µs                           | 5 to 10 µs      |
 * | a signal with nothing behind it                      | 2 ms                            | 5 µs            |
 */
import { XEN_PAGE_SIZE } from "../xen/ports.ts";

/** Prices in µs. */
const MAIN_THREAD_COST = 5000;
const PAGE_COST = 10;
export const TRIGGER_COST = 1000;
export const QUERY_COST = 200;
export const INTERRUPT_COST = 20;
export const IDLE_SIGNAL_COST = 2000;

const BUDGET_MICROS = 1_000_000;
/** A debt never grows beyond this, whatever one turn costs: the debtor rests for 1 s at most. */
const MOST_OWED = 2 * BUDGET_MICROS;
/** What a guest may claim before the others have their turn: 40 requests, or half a MiB. */
const TURN_MICROS = 4000;

/** Times are of a `MicrosClock`: whole numbers that wrap. Nothing here allocates. */
export class GuestBudget {
  /** When all that was charged will have come in again. */
  #paidAt = 0;
  /** The engine's turn in which the guest was last served, and what it has claimed in that. */
  #turn = 0;
  #claimed = 0;
  readonly requestCost: number;

  /**
   * @param requests that may be served a second in the long run, 100 at least
   * @param moved MB that may be moved a second in the long run
   */
  constructor(requests: number, private readonly moved: number) {
    this.requestCost = Math.max(1, Math.floor(1e6 / requests));
  }

  /** What it costs to move `octets`. */
  costOf(octets: number): number {
    return Math.ceil(octets / this.moved);
  }

  /** Charges `micros` at the time `now`. */
  charge(now: number, micros: number): void {
    this.#claimed += micros;
    this.#paidAt = now + Math.min(this.#owed(now) + micros, MOST_OWED) | 0;
  }

  isUsedUp(now: number): boolean {
    return this.#owed(now) > BUDGET_MICROS;
  }

  /** Whether the guest may be served in that turn of the engine's, before others are. */
  hasTurn(turn: number): boolean {
    if (turn !== this.#turn) {
      this.#turn = turn;
      this.#claimed = 0;
    }
    return this.#claimed < TURN_MICROS;
  }

  #owed(now: number): number {
    const owed = this.#paidAt - now | 0;
    // No debt is larger than MOST_OWED: what looks larger was paid so long ago that the clock has wrapped since.
    return owed < 0 || owed > MOST_OWED ? 0 : owed;
  }
}

/** What a request costs, besides being one, that the main thread serves: with `bufferSz` octets to be mapped, or none. */
export function mainThreadCost(bufferSz = 0): number {
  return MAIN_THREAD_COST + Math.ceil(bufferSz / XEN_PAGE_SIZE) * PAGE_COST;
}
