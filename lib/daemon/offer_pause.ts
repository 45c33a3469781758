// SPDX-License-Identifier: MIT
/**
 * When a card is offered to its frontend again. A frontend that leaves soon after its connection and has sent no request, several
 * times in a row, is made to wait, each time twice as long as before: snd_xen_front would go on with that for ever, five times a
 * second. Times are in ms.
 */

/** A connection without a request that ends sooner is a short one, and after how many short ones in a row there is a pause. */
const SHORT_MS = 2000;
const SHORT_CONNECTIONS = 3;
/** The first pause, and the longest. */
const FIRST_MS = 1000;
const LAST_MS = 30_000;

export class OfferPause {
  #connectedAt = 0;
  #shortConnections = 0;
  #until = 0;

  /** Short connections in a row so far. */
  get shortConnections(): number {
    return this.#shortConnections;
  }

  /** The frontend is connected. */
  connected(now: number): void {
    this.#connectedAt = now;
  }

  /**
   * The frontend has left. Returns the pause that begins; 0: the card is offered at once.
   *
   * @param wasUsed whether the frontend has sent a request since it was connected
   */
  left(now: number, wasUsed: boolean): number {
    const isShort = !wasUsed && now - this.#connectedAt < SHORT_MS;
    this.#shortConnections = isShort ? this.#shortConnections + 1 : 0;
    const excess = this.#shortConnections - SHORT_CONNECTIONS;
    if (excess < 0) return 0;
    const pause = Math.min(FIRST_MS * 2 ** excess, LAST_MS);
    this.#until = now + pause;
    return pause;
  }

  /** What is left of the pause; 0 or less: the card is offered. */
  remaining(now: number): number {
    return this.#until - now;
  }
}
