// SPDX-License-Identifier: MIT
/**
 * How long something took, many times over, in memory that two threads share: the one counts, the other reads at any time.
 * Durations are sorted into buckets, four to each doubling, so that a percentile is right to a quarter.
 */
import type { Percentiles } from "../base/percentiles.ts";

/** Up to 2^22 µs, four seconds; the last bucket holds all that took longer. */
const BUCKETS = 22 * 4;
const MAX = BUCKETS;

const SUM = BUCKETS + 1;

/** 64-bit numbers that {@link Durations} takes. */
export const DURATIONS_WORDS = BUCKETS + 2;

/** How many durations there were, and how long they took. */
export interface Histogram {
  /** How many were shorter than each of the bounds that were asked for. */
  readonly below: readonly number[];
  readonly count: number;
  readonly sumMicros: number;
}

export class Durations {
  /** @param words {@link DURATIONS_WORDS} numbers, zero at the beginning */
  constructor(private readonly words: Float64Array) {}

  /** @param micros a whole number, which `times` things took each. Allocates nothing. */
  add(micros: number, times = 1): void {
    this.words[bucketOf(micros)] += times;
    this.words[SUM] += micros * times;
    if (micros > this.words[MAX]) this.words[MAX] = micros;
  }

  /** Adds all that `others` have counted. */
  addAll({ words }: Durations): void {
    const max = Math.max(this.words[MAX], words[MAX]);
    for (let i = 0; i < DURATIONS_WORDS; i++) this.words[i] += words[i];
    this.words[MAX] = max;
  }

  /** How many were shorter than each of `bounds`, µs: ends of buckets, as the powers of two up to 2^22 are. */
  histogram(bounds: readonly number[]): Histogram {
    const counts = this.words.subarray(0, BUCKETS);
    const total = (end: number) => counts.subarray(0, end).reduce((sum, count) => sum + count, 0);
    return {
      below: bounds.map((bound) => total(bucketOf(bound - 1) + 1)),
      count: total(BUCKETS),
      sumMicros: this.words[SUM],
    };
  }

  /** Upper ends of the buckets that the percentiles are in, and the longest as it was; zeroes if there was none. */
  percentiles(): Percentiles {
    const max = this.words[MAX];
    let total = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) total += this.words[bucket];
    const at = (share: number) => {
      let below = 0;
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        below += this.words[bucket];
        if (below > total * share) return Math.min(max, endOf(bucket));
      }
      return max;
    };
    return { p50: at(0.5), p99: at(0.99), max };
  }
}

/** 0 to 3 µs have buckets of their own; from there on the highest bit and the two after it choose one. */
function bucketOf(micros: number): number {
  if (micros < 4) return Math.max(0, micros);
  const bit = 31 - Math.clz32(micros);
  return Math.min(BUCKETS - 1, (bit - 1) * 4 + (micros >> bit - 2 & 3));
}

/** The least number of µs that is beyond the bucket. */
function endOf(bucket: number): number {
  if (bucket < 4) return bucket + 1;
  return 2 ** ((bucket >> 2) - 1) * (5 + (bucket & 3));
}
