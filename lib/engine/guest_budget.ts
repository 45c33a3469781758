// SPDX-License-Identifier: MIT
/**
 * How much of an engine's time a guest may claim, all of its streams in that engine together. A guest that claims more rests
 * whenever its budget is used up: its requests are answered later, its samples move later, and nobody else waits.
 *
 * A token bucket: capacity 1 s, refilled at 1 s per second. Whatever a guest has done has a price. The price is several times
 * the measured time, so that a guest that is always at its limit leaves most of the engine to others:
 *
 * | for                                                  | price                           | measured time   |
 * | ---------------------------------------------------- | ------------------------------- | --------------- |
 * | a request                                            | 1 s / requests (100 µs)         | 20 to 30 µs     |
 * | OPEN, CLOSE, a first query: the main thread serves it | 5 ms, and 10 µs a page of OPEN's | 1 to 3 ms, 4 µs |
 * | TRIGGER, which may stop and prepare the device       | 1 ms                            | 0.1 to 0.5 ms   |
 * | a query that the engine answers                      | 0.2 ms                          | 20 to 60 µs     |
 * | an octet moved                                       | 1 s / moved (8 ns)              | 0.1 to 0.3 ns   |
 * | a sample whose volume is changed                     | as 16 octets (125 ns)           | 25 to 45 ns     |
 * | a device's interrupt                                 | 20 µs                           | 5 to 10 µs      |
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
/** A debt grows no further than this, whatever one turn costs: the debtor rests for 1 s at most. */
const MOST_OWED = 2 * BUDGET_MICROS;
/** A guest may claim this before the others have their turn: 40 requests, or half a MiB. */
const TURN_MICROS = 4000;

/** One guest's bucket. Times are of a `MicrosClock`: whole numbers that wrap. Nothing here allocates. */
export class GuestBudget {
  /** When the bucket will be full again. */
  #paidAt = 0;
  /** The engine's turn in which the guest was last served, and the µs that it has claimed in that turn. */
  #turn = 0;
  #claimed = 0;
  #areDevicesFirst = false;
  readonly requestCost: number;

  /**
   * @param requests served a second in the long run at most; 100 at least
   * @param moved MB moved a second in the long run at most
   */
  constructor(requests: number, private readonly moved: number) {
    this.requestCost = Math.max(1, Math.floor(1e6 / requests));
  }

  /** The price of moving `octets`, in µs. */
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

  /**
   * Whether the guest's devices come before its waiting requests in this turn. Both alternate over the turns in which the guest is served:
   * what comes first may use up the budget.
   */
  get areDevicesFirst(): boolean {
    return this.#areDevicesFirst;
  }

  /** Whether the guest may still be served in the engine's turn of this number, before others are. */
  hasTurn(turn: number): boolean {
    if (turn !== this.#turn) {
      this.#turn = turn;
      this.#claimed = 0;
      this.#areDevicesFirst = !this.#areDevicesFirst;
    }
    return this.#claimed < TURN_MICROS;
  }

  /** µs that the guest owes at `now`. */
  #owed(now: number): number {
    const owed = this.#paidAt - now | 0;
    // No debt is larger than MOST_OWED. One that looks larger was paid so long ago that the clock has wrapped since.
    return owed < 0 || owed > MOST_OWED ? 0 : owed;
  }
}

/** The price, in µs, of leaving a request to the main thread, which maps `bufferSz` octets for an OPEN. */
export function mainThreadCost(bufferSz = 0): number {
  return MAIN_THREAD_COST + Math.ceil(bufferSz / XEN_PAGE_SIZE) * PAGE_COST;
}
