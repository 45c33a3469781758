// SPDX-License-Identifier: MIT
/** Summaries of many durations. */

/** A summary of many durations. */
export interface Percentiles {
  /** Half of them are no longer. */
  readonly p50: number;
  /** All but one in a hundred are no longer. */
  readonly p99: number;
  /** The longest. */
  readonly max: number;
}

/** Of `values`, in their own unit, to a tenth; zeroes if there are none. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return Math.round(value * 10) / 10;
  };
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
