// SPDX-License-Identifier: MIT
/** A set of whole numbers as runs of neighbours. Most numbers come in their order, and lengthen the last run. */

export class IntervalSet {
  /** Disjoint, in order: `[first, end]` each, without the end. */
  readonly #runs: [number, number][] = [];
  /** How many numbers are in the set. */
  size = 0;

  /** Adds the numbers from `first` to before `end`; returns how many of them were there already. */
  add(first: number, end: number): number {
    if (end <= first) return 0;
    const runs = this.#runs;
    const last = runs.at(-1);
    if (last === undefined || first > last[1]) {
      runs.push([first, end]);
      this.size += end - first;
      return 0;
    }
    if (first === last[1]) {
      last[1] = end;
      this.size += end - first;
      return 0;
    }
    const from = this.#firstEndingAt(first);
    let to = from;
    let [least, most, doubled] = [first, end, 0];
    for (; to < runs.length && runs[to]![0] <= end; to++) {
      const [a, b] = runs[to]!;
      doubled += Math.max(0, Math.min(b, end) - Math.max(a, first));
      least = Math.min(least, a);
      most = Math.max(most, b);
    }
    runs.splice(from, to - from, [least, most]);
    this.size += end - first - doubled;
    return doubled;
  }

  /** How many of the numbers from `first` to before `end` are in the set. */
  count(first: number, end: number): number {
    let count = 0;
    for (let i = this.#firstEndingAt(first); i < this.#runs.length && this.#runs[i]![0] < end; i++) {
      const [a, b] = this.#runs[i]!;
      count += Math.max(0, Math.min(b, end) - Math.max(a, first));
    }
    return count;
  }

  /** The place of the first run that ends at `number` or behind. */
  #firstEndingAt(number: number): number {
    let [low, high] = [0, this.#runs.length];
    while (low < high) {
      const middle = low + high >> 1;
      if (this.#runs[middle]![1] < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
