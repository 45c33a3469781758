// SPDX-License-Identifier: MIT
/**
 * Answers HW_PARAM_QUERY: what the device can do, as far as the host allows it. The engine asks the device through a refiner
 * that the main thread has opened and lends; the main thread closes the refiner once the loan has ended.
 */
import { PcmError } from "../pcm/pcm_error.ts";
import type { PcmParams } from "../pcm/pcm.ts";
import { type Refiner, type RefinerDescriptor, refinerOf } from "../pcm/refiner.ts";
import { HwParam, type RequestView, XEN_EINVAL } from "../sndif/mod.ts";
import type { StreamParams } from "../vsnd/model/card.ts";
import { narrow } from "../stream/open_admission.ts";

export class Queries {
  /** The answer, after {@link answer} has returned 0. */
  readonly param = new HwParam();
  #refiner: Refiner | undefined;
  #isLent = false;

  constructor(private readonly allowed: StreamParams) {}

  /** Whether the refiner is the main thread's. */
  get isLent(): boolean {
    return this.#isLent;
  }

  /** Whether there is a refiner to answer by. */
  get canAnswer(): boolean {
    return this.#refiner !== undefined;
  }

  /** Begins a loan, unless a stand-in answers: then the device was lost meanwhile, and is being closed. */
  lend(refiner: RefinerDescriptor): void {
    if (this.#refiner !== undefined) return;
    this.#refiner = refinerOf(refiner);
    this.#isLent = true;
  }

  /** From now on answers by `params` of the open device alone, whatever was lent. */
  standIn({ format, rate, channels }: PcmParams): void {
    this.#isLent = false;
    this.#refiner = refinerOf({
      kind: "known",
      formatsLow: (1 << format) >>> 0,
      rates: { min: rate, max: rate },
      channels: { min: channels, max: channels },
    });
  }

  /** Ends the loan, or the stand-in. */
  end(): void {
    this.#refiner = undefined;
    this.#isLent = false;
  }

  /**
   * Answers `request`, a HW_PARAM_QUERY, into {@link param}: 0 or -XEN_E*. -XEN_EINVAL says that nothing fits; any other error
   * says that the device is not well.
   */
  answer(request: RequestView): number {
    if (this.#refiner === undefined) throw new Error("a query without a refiner to answer it by");
    request.readHwParam(this.param);
    narrow(this.param, this.allowed);
    try {
      this.#refiner.refine(this.param);
      return 0;
    } catch (error) {
      if (error instanceof PcmError) return -error.errno;
      throw error;
    }
  }

  /** Whether the answer `status` says that the loan is of no use any more. */
  isSpent(status: number): boolean {
    return status < 0 && status !== -XEN_EINVAL && this.#isLent;
  }
}
