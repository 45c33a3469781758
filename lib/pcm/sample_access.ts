// SPDX-License-Identifier: MIT
/** Reads and writes samples as numbers, for arithmetic: linear samples as integers around 0, floats as they are. */
import type { SampleFormat } from "../sndif/mod.ts";

/** Whether samples of `format` are numbers: the linear and float formats. */
export function isArithmetic(format: SampleFormat): boolean {
  return format.kind === "linear" || format.kind === "float";
}

/** Reads and writes samples of one format at octet offsets of a DataView. Allocates nothing. */
export class SampleAccess {
  readonly #octets: number;
  readonly #little: boolean;
  readonly #isFloat: boolean;
  /** The value of silence: half of the range in unsigned formats, 0 in others. */
  readonly #zero: number;
  /** Bits of a 32-bit integer above the sample's own. */
  readonly #above: number;
  readonly #least: number;
  readonly #most: number;

  /** Throws RangeError unless {@link isArithmetic}. */
  constructor(format: SampleFormat) {
    if (!isArithmetic(format)) throw new RangeError(`samples of ${format.name} are no numbers`);
    const half = 2 ** (format.bits! - 1);
    this.#octets = format.octets!;
    this.#little = format.endian !== "be";
    this.#isFloat = format.kind === "float";
    this.#zero = format.signed === false ? half : 0;
    this.#above = 32 - format.bits!;
    this.#least = -half;
    this.#most = half - 1;
  }

  load(view: DataView, at: number): number {
    if (this.#isFloat) {
      return this.#octets === 4 ? view.getFloat32(at, this.#little) : view.getFloat64(at, this.#little);
    }
    const raw = this.#octets === 2
      ? view.getInt16(at, this.#little)
      : this.#octets === 4
      ? view.getInt32(at, this.#little)
      : view.getInt8(at);
    // Reads unsigned samples as signed, moves them by half of the range, and drops the bits above the significant ones.
    return ((raw - this.#zero) << this.#above) >> this.#above;
  }

  /** Stores the nearest number of the format; a value out of range becomes the least or the greatest number. */
  store(view: DataView, at: number, value: number): void {
    if (this.#isFloat) {
      if (this.#octets === 4) view.setFloat32(at, value, this.#little);
      else view.setFloat64(at, value, this.#little);
      return;
    }
    const raw = Math.max(this.#least, Math.min(this.#most, Math.round(value))) + this.#zero;
    if (this.#octets === 2) view.setInt16(at, raw, this.#little);
    else if (this.#octets === 4) view.setInt32(at, raw, this.#little);
    else view.setInt8(at, raw);
  }
}
