/**
 * How much of the engine's time a guest may claim by waking it. Whoever signals without end, or fills its ring without end, rests a
 * little whenever its budget is used up: its requests are answered all the same, only later, and nobody else waits.
 *
 * A token bucket: capacity 1 s, refilled at 1 s per second. A request costs as much as makes a second of those that a stream may
 * have (10 000, unless told), a signal with nothing behind it 2 ms: so 500 of them go on for ever.
 */
export const IDLE_SIGNAL_COST = 2000;
const BUDGET_MICROS = 1_000_000;
/** A debt never grows beyond this, whatever one turn costs: the debtor rests for 1 s at most. */
const MOST_OWED = 2 * BUDGET_MICROS;

/** Times are of a `MicrosClock`: whole numbers that wrap. Nothing here allocates. */
export class WakeBudget {
  /** When all that was charged will have come in again. */
  #paidAt = 0;
  readonly #requestCost: number;

  /** @param requests that may be served a second in the long run, 100 at least */
  constructor(requests: number) {
    this.#requestCost = Math.max(1, Math.floor(1e6 / requests));
  }

  /** Charges `count` requests at the time `now`. */
  chargeRequests(now: number, count: number): void {
    this.charge(now, count * this.#requestCost);
  }

  /** Charges `micros` at the time `now`. */
  charge(now: number, micros: number): void {
    this.#paidAt = now + Math.min(this.#owed(now) + micros, MOST_OWED) | 0;
  }

  isUsedUp(now: number): boolean {
    return this.#owed(now) > BUDGET_MICROS;
  }

  #owed(now: number): number {
    const owed = this.#paidAt - now | 0;
    // No debt is larger than MOST_OWED: what looks larger was paid so long ago that the clock has wrapped since.
    return owed < 0 || owed > MOST_OWED ? 0 : owed;
  }
}
