/**
 * How much of the engine's time a guest may claim by waking it. Whoever signals without end, or fills its ring without end, rests a
 * little whenever its budget is used up: its requests are answered all the same, only later, and nobody else waits.
 *
 * A request costs 100 µs of the budget, a signal with nothing behind it 2 ms; a second is to hand, and a second comes in each second.
 * So 10 000 requests a second go on for ever, which no PCM needs, and 500 signals without any.
 */
export const REQUEST_COST = 100;
export const IDLE_SIGNAL_COST = 2000;
const BUDGET_MICROS = 1_000_000;
/** The most that one turn costs: a ring of requests. */
const MOST_AT_ONCE = 32 * IDLE_SIGNAL_COST;

/** Times are of a `MicrosClock`: whole numbers that wrap. Nothing here allocates. */
export class WakeBudget {
  /** When all that was charged will have come in again. */
  #paidAt = 0;

  /** Charges `micros` at the time `now`. */
  charge(now: number, micros: number): void {
    this.#paidAt = now + this.#owed(now) + micros | 0;
  }

  isUsedUp(now: number): boolean {
    return this.#owed(now) > BUDGET_MICROS;
  }

  #owed(now: number): number {
    const owed = this.#paidAt - now | 0;
    // More than can be owed: so long ago that the clock has wrapped.
    return owed < 0 || owed > BUDGET_MICROS + MOST_AT_ONCE ? 0 : owed;
  }
}
