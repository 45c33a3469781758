// SPDX-License-Identifier: MIT
/** Random numbers from a seed: the same seed gives the same numbers on every machine. */

/** 32-bit integer arithmetic alone (Bob Jenkins' small generator, "jsf32"): no rounding, no dependence on the machine. */
export class Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  /** @param seed a 32-bit number */
  constructor(seed: number) {
    this.restart(seed);
  }

  /** Begins anew, with another seed. */
  restart(seed: number): void {
    this.#a = 0xf1ea5eed;
    this.#b = this.#c = this.#d = seed | 0;
    for (let i = 0; i < 20; i++) this.word();
  }

  /** 32 bits, as an unsigned number. */
  word(): number {
    const e = this.#a - (this.#b << 27 | this.#b >>> 5) | 0;
    this.#a = this.#b ^ (this.#c << 17 | this.#c >>> 15);
    this.#b = this.#c + this.#d | 0;
    this.#c = this.#d + e | 0;
    this.#d = e + this.#a | 0;
    return this.#d >>> 0;
  }

  /** A whole number from 0 to `n - 1`. */
  below(n: number): number {
    return this.word() % n;
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** True in one of `n` cases. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  /** One of `items`, which has at least one. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

/** A 32-bit number that depends on each of `numbers` (MurmurHash3's mixing). */
export function mix(...numbers: readonly number[]): number {
  let hash = 0x9747b28c;
  for (const number of numbers) {
    let k = Math.imul(number, 0xcc9e2d51);
    k = k << 15 | k >>> 17;
    hash ^= Math.imul(k, 0x1b873593);
    hash = hash << 13 | hash >>> 19;
    hash = Math.imul(hash, 5) + 0xe6546b64 | 0;
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}
