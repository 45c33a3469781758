// SPDX-License-Identifier: MIT
/** What goes wrong in the next calls on a device, as the world orders. */

/** A call that can be slow, or fail. */
export type SoundCall =
  | "open"
  | "close"
  | "refine"
  | "hw_params"
  | "sw_params"
  | "prepare"
  | "start"
  | "drop"
  | "pause"
  | "avail"
  | "writei"
  | "readi"
  | "forward";

interface Order {
  readonly call: SoundCall | "any";
  /** The call fails with this number; 0: it succeeds. */
  readonly errno: number;
  /** The call takes this long, µs. */
  readonly micros: number;
  times: number;
}

export class Faults {
  #orders: Order[] = [];
  #shorts: number[] = [];
  /** How many calls have failed. */
  failures = 0;

  /** Whether all goes well. */
  get isEmpty(): boolean {
    return this.#orders.length === 0;
  }

  /** The next `times` calls fail. */
  fail(call: SoundCall | "any", errno: number, times = 1): void {
    this.#orders.push({ call, errno, micros: 0, times });
  }

  /** Each of the next `times` calls takes `micros` µs. */
  slow(call: SoundCall | "any", micros: number, times = 1): void {
    this.#orders.push({ call, errno: 0, micros, times });
  }

  /** The next writes take no more frames than these, one after the other. A write takes at least one frame. */
  short(frames: readonly number[]): void {
    this.#shorts.push(...frames);
  }

  /** Forgets all orders. */
  clear(): void {
    this.#orders = [];
    this.#shorts = [];
  }

  /** What the orders are for this call: how long it takes, and the errno with which it fails. */
  take(call: SoundCall): { micros: number; errno: number } {
    let [micros, errno] = [0, 0];
    for (const order of this.#orders) {
      if (order.call !== call && order.call !== "any") continue;
      // A failure ends the call: a later order to fail is for a later call.
      if (order.errno !== 0 && errno !== 0) continue;
      micros += order.micros;
      errno ||= order.errno;
      order.times--;
    }
    this.#orders = this.#orders.filter(({ times }) => times > 0);
    if (errno !== 0) this.failures++;
    return { micros, errno };
  }

  /** The frames that a write of `frames` frames takes. */
  shortened(frames: number): number {
    const most = this.#shorts.shift();
    return most === undefined ? frames : Math.min(frames, Math.max(1, most));
  }
}
