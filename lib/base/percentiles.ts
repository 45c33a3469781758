// SPDX-License-Identifier: MIT
/** The median, 99th percentile and maximum of a set of durations. */

/** A summary of many durations. */
export interface Percentiles {
  /** Half of them are no longer. */
  readonly p50: number;
  /** All but one in a hundred are no longer. */
  readonly p99: number;
  /** The longest. */
  readonly max: number;
}

/** Percentiles of `values` in their own unit, rounded to a tenth. All are 0 without values. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return Math.round(value * 10) / 10;
  };
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
