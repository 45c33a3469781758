// SPDX-License-Identifier: MIT
/**
 * A histogram of durations in memory that two threads share: one thread counts, the other reads at any time. There are four
 * buckets to each doubling, so that a percentile is right to a quarter.
 */
import type { Percentiles } from "../base/percentiles.ts";

/** Up to 2^22 µs, four seconds; the last bucket holds all that took longer. */
const BUCKETS = 22 * 4;
/** Words after the buckets: the longest duration and the sum of all, in µs. */
const MAX = BUCKETS;
const SUM = BUCKETS + 1;

/** 64-bit numbers that {@link Durations} takes. */
export const DURATIONS_WORDS = BUCKETS + 2;

export interface Histogram {
  /** How many durations were shorter than each of the bounds that were asked for. */
  readonly below: readonly number[];
  readonly count: number;
  readonly sumMicros: number;
}

export class Durations {
  /** @param words {@link DURATIONS_WORDS} numbers, zero at the beginning */
  constructor(private readonly words: Float64Array) {
    if (words.length < DURATIONS_WORDS) {
      throw new RangeError(`${words.length} words are not the ${DURATIONS_WORDS} of a histogram`);
    }
  }

  /** Counts a duration of `micros` µs, a whole number, `times` times. Allocates nothing. */
  add(micros: number, times = 1): void {
    this.words[bucketOf(micros)]! += times;
    this.words[SUM]! += micros * times;
    if (micros > this.words[MAX]!) this.words[MAX] = micros;
  }

  /** Adds all durations of another histogram. */
  addAll({ words }: Durations): void {
    const max = Math.max(this.words[MAX]!, words[MAX]!);
    for (let i = 0; i < DURATIONS_WORDS; i++) this.words[i]! += words[i]!;
    this.words[MAX] = max;
  }

  /** @param bounds µs; each the end of a bucket, as the powers of two up to 2^22 are */
  histogram(bounds: readonly number[]): Histogram {
    const counts = this.words.subarray(0, BUCKETS);
    const total = (end: number) => counts.subarray(0, end).reduce((sum, count) => sum + count, 0);
    return {
      below: bounds.map((bound) => total(bucketOf(bound - 1) + 1)),
      count: total(BUCKETS),
      sumMicros: this.words[SUM]!,
    };
  }

  /** The upper ends of the percentiles' buckets, and the longest duration itself; zeroes if there was none. */
  percentiles(): Percentiles {
    const max = this.words[MAX]!;
    let total = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) total += this.words[bucket]!;
    const at = (share: number) => {
      let below = 0;
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        below += this.words[bucket]!;
        if (below > total * share) return Math.min(max, endOf(bucket));
      }
      return max;
    };
    return { p50: at(0.5), p99: at(0.99), max };
  }
}

/** 0 to 3 µs have a bucket each. From 4 µs on the highest bit and the two bits after it choose the bucket. */
function bucketOf(micros: number): number {
  if (micros < 4) return Math.max(0, micros);
  const bit = 31 - Math.clz32(micros);
  return Math.min(BUCKETS - 1, (bit - 1) * 4 + (micros >> bit - 2 & 3));
}

/** The least number of µs beyond the bucket. */
function endOf(bucket: number): number {
  if (bucket < 4) return bucket + 1;
  return 2 ** ((bucket >> 2) - 1) * (5 + (bucket & 3));
}
