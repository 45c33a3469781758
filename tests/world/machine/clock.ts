// SPDX-License-Identifier: MIT
/** Virtual time, in whole µs since the world began, and the queue of all that is to happen. Entries of one time keep their order. */

/** An entry of the queue. */
export interface Entry {
  /** When it is due, µs. */
  readonly time: number;
  readonly order: number;
  readonly run: () => void | Promise<void>;
  isCancelled: boolean;
}

export class Clock {
  /** µs since the world began. */
  now = 0;
  /** µs by which the thread that runs is ahead of {@link now}: the time of its slow calls. What the thread causes comes no sooner. */
  ahead = 0;
  #order = 0;
  /** A binary heap: each entry is due no later than the two at twice its place. */
  readonly #heap: Entry[] = [];

  /** Queues `run` for `micros` µs from now, or as soon as possible if that is negative. */
  after(micros: number, run: () => void | Promise<void>): Entry {
    return this.at(this.now + this.ahead + micros, run);
  }

  /** Queues `run` for the time `time`, or for now if that has passed. */
  at(time: number, run: () => void | Promise<void>): Entry {
    const entry = {
      time: Math.max(this.now, Math.ceil(time)),
      order: this.#order++,
      run,
      isCancelled: false,
    };
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1);
    return entry;
  }

  cancel(entry: Entry | undefined): void {
    if (entry !== undefined) entry.isCancelled = true;
  }

  /** The time of the next entry; undefined if there is none. */
  get next(): number | undefined {
    while (this.#heap.length > 0 && this.#heap[0]!.isCancelled) this.#pop();
    return this.#heap[0]?.time;
  }

  /** Carries out all that is due up to `time`, one after the other, and goes on to `time`. */
  async runUntil(time: number): Promise<void> {
    for (let next; (next = this.next) !== undefined && next <= time;) {
      const entry = this.#pop();
      this.now = Math.max(this.now, entry.time);
      const work = entry.run();
      if (work !== undefined) await work;
    }
    this.now = Math.max(this.now, time);
  }

  /** How many entries wait. */
  get length(): number {
    return this.#heap.reduce((sum, { isCancelled }) => sum + (isCancelled ? 0 : 1), 0);
  }

  #pop(): Entry {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      this.#down();
    }
    return first;
  }

  #up(place: number): void {
    const heap = this.#heap;
    for (let i = place; i > 0;) {
      const parent = i - 1 >> 1;
      if (!isBefore(heap[i]!, heap[parent]!)) return;
      [heap[i], heap[parent]] = [heap[parent]!, heap[i]!];
      i = parent;
    }
  }

  #down(): void {
    const heap = this.#heap;
    for (let i = 0;;) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
      }
      if (least === i) return;
      [heap[i], heap[least]] = [heap[least]!, heap[i]!];
      i = least;
    }
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.time < b.time || a.time === b.time && a.order < b.order;
}
