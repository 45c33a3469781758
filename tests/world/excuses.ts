// SPDX-License-Identifier: MIT
/**
 * The times in which nobody can be expected to answer, each with its cause: no daemon serves, XenStore is away, the daemon has no
 * processor.
 */

interface Excuse {
  readonly cause: string;
  readonly from: number;
  /** Infinity while it lasts. */
  to: number;
}

export class Excuses {
  readonly #all: Excuse[] = [];

  constructor(private readonly now: () => number) {}

  /** `cause` begins; nothing changes if that lasts already. */
  begin(cause: string): void {
    if (this.isOn(cause)) return;
    this.#all.push({ cause, from: this.now(), to: Infinity });
  }

  /** `cause` is over, `later` µs from now. */
  end(cause: string, later = 0): void {
    for (const excuse of this.#all) {
      if (excuse.cause === cause && excuse.to === Infinity) excuse.to = this.now() + later;
    }
  }

  /** `cause` lasts from now on for `micros` µs. */
  last(cause: string, micros: number): void {
    const from = this.now();
    this.#all.push({ cause, from, to: from + micros });
  }

  /** The time that lies `micros` µs before `at`, times of `cause` not counted. */
  before(at: number, micros: number, cause: string): number {
    let time = at - micros;
    for (const excuse of this.#all.toReversed()) {
      const until = Math.min(excuse.to, at);
      if (excuse.cause === cause && until > time) time -= Math.max(0, until - excuse.from);
    }
    return time;
  }

  isOn(cause: string): boolean {
    return this.#all.some((excuse) => excuse.cause === cause && excuse.to > this.now());
  }

  get spans(): readonly { readonly from: number; readonly to: number }[] {
    return this.#all;
  }

  /** Whether any of the causes was on at some time from `from` on. */
  since(from: number, ...causes: readonly string[]): boolean {
    return this.#all.some(({ cause, to }) => causes.includes(cause) && to >= from);
  }
}
