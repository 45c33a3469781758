// SPDX-License-Identifier: MIT
/**
 * Answering HW_PARAM_QUERY in the engine: what the host allows of what the card can do. The card is asked through a handle that
 * the main thread has opened and lends; it is the main thread's to close as soon as the loan has ended.
 */
import { PcmError } from "../pcm/pcm_error.ts";
import type { PcmParams } from "../pcm/pcm.ts";
import { type Refiner, type RefinerDescriptor, refinerOf } from "../pcm/refiner.ts";
import { HwParam, type RequestView, XEN_EINVAL } from "../sndif/mod.ts";
import type { StreamParams } from "../vsnd/model/card.ts";
import { narrow } from "../stream/open_admission.ts";

/** The number of no loan. */
const NONE = -1;

export class Queries {
  /** The answer, after {@link answer} has returned 0. */
  readonly param = new HwParam();
  #refiner: Refiner | undefined;
  #loan = NONE;

  constructor(private readonly allowed: StreamParams) {}

  /** The loan's number, {@link NONE} if there is none. */
  get loan(): number {
    return this.#loan;
  }

  /** Whether there is something to answer by. */
  get canAnswer(): boolean {
    return this.#refiner !== undefined;
  }

  /** Begins a loan. A stand-in goes on answering: the card that was lost meanwhile is being closed. */
  lend(refiner: RefinerDescriptor, loan: number): void {
    if (this.#refiner !== undefined) return;
    this.#refiner = refinerOf(refiner);
    this.#loan = loan;
  }

  /** Answers by the card's own parameters alone from now on, whatever was lent. */
  standIn({ format, rate, channels }: PcmParams): void {
    this.#loan = NONE;
    this.#refiner = refinerOf({
      kind: "known",
      formatsLow: (1 << format) >>> 0,
      rates: { min: rate, max: rate },
      channels: { min: channels, max: channels },
    });
  }

  /** Ends loan and stand-in. */
  end(): void {
    this.#refiner = undefined;
    this.#loan = NONE;
  }

  /** Answers `request`, a HW_PARAM_QUERY, into {@link param}: 0, or -XEN_E*; -XEN_EINVAL alone means that the card is well. */
  answer(request: RequestView): number {
    request.readHwParam(this.param);
    narrow(this.param, this.allowed);
    try {
      this.#refiner!.refine(this.param);
      return 0;
    } catch (error) {
      if (error instanceof PcmError) return -error.errno;
      throw error;
    }
  }

  /** Whether an answer says that the loan is of no use any more. */
  isSpent(status: number): boolean {
    return status < 0 && status !== -XEN_EINVAL && this.#loan !== NONE;
  }
}
