/**
 * How long something took, many times over, in memory that two threads share: the one counts, the other reads at any time.
 * Durations are sorted into buckets, four to each doubling from 1 µs on, so that a percentile is right to 19 %.
 */
import type { Percentiles } from "../percentiles.ts";

const BUCKETS_A_DOUBLING = 4;
/** Up to 2^22 µs, four seconds; the last bucket holds all that took longer. */
const BUCKETS = 22 * BUCKETS_A_DOUBLING;
const MAX = BUCKETS;

/** 64-bit numbers that {@link Durations} takes. */
export const DURATIONS_WORDS = BUCKETS + 1;

export class Durations {
  /** @param words {@link DURATIONS_WORDS} numbers, zero at the beginning */
  constructor(private readonly words: Float64Array) {}

  /** Allocates nothing. */
  add(micros: number): void {
    const bucket = micros > 1 ? Math.floor(Math.log2(micros) * BUCKETS_A_DOUBLING) : 0;
    this.words[Math.min(bucket, BUCKETS - 1)]++;
    if (micros > this.words[MAX]) this.words[MAX] = micros;
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
        if (below > total * share) return tenth(Math.min(max, 2 ** ((bucket + 1) / BUCKETS_A_DOUBLING)));
      }
      return tenth(max);
    };
    return { p50: at(0.5), p99: at(0.99), max: tenth(max) };
  }
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}
