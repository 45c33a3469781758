// SPDX-License-Identifier: MIT
/** Time that passes only when a test says so: setTimeout, clearTimeout and Date.now, until disposal. */

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

export class FakeTime implements Disposable {
  readonly #real = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    now: Date.now,
  };
  readonly #timers = new Map<number, Timer>();
  #last = 0;

  /** @param now ms since 1970 */
  constructor(public now: number) {
    const set = (run: () => void, ms = 0) => {
      this.#timers.set(++this.#last, { at: this.now + ms, run });
      return this.#last;
    };
    const clear = (id?: number) => void this.#timers.delete(id ?? 0);
    Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
    Date.now = () => this.now;
  }

  /** Lets `ms` pass. */
  tick(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const [next] = [...this.#timers].sort(([, a], [, b]) => a.at - b.at);
      if (next === undefined || next[1].at > end) break;
      this.#timers.delete(next[0]);
      this.now = Math.max(this.now, next[1].at);
      next[1].run();
    }
    this.now = end;
  }

  [Symbol.dispose](): void {
    Object.assign(globalThis, { setTimeout: this.#real.setTimeout, clearTimeout: this.#real.clearTimeout });
    Date.now = this.#real.now;
  }
}
