// SPDX-License-Identifier: MIT
/** A stream of the engine whose guest is the test: see {@link SoloStream}. */
import { SoloStream } from "../../lib/engine/solo_stream.ts";
import { encodeHwParamQuery, EventPageConsumer, EventView, HwParam, Taken } from "../../lib/sndif/mod.ts";
import type { Hold } from "../../lib/stream/stream_state.ts";

export { BUFFER_BYTES, dummyDevice, RATE } from "../../lib/engine/solo_stream.ts";

/** A stream that is open for playback and prepared. */
export class EngineRig extends SoloStream {
  readonly #consumer = new EventPageConsumer(this.events.buffer, 0, "linux-6.1");
  readonly #event = new EventView();

  /** `xsnd trigger`. */
  hold(hold: Hold): void {
    this.stream.execute({ op: "hold", slot: 0, hold, ticket: 0 });
  }

  /** Puts a HW_PARAM_QUERY on the ring. */
  ask(): void {
    const param = new HwParam();
    param.formatsLow = 0xffffffff;
    for (const interval of [param.rates, param.channels, param.buffer, param.period]) {
      interval.max = 0xffffffff;
    }
    this.id = this.id + 1 & 0xffff;
    encodeHwParamQuery(this.ring.view, this.ring.reserve(), this.id, param);
    this.ring.pushRequests();
  }

  /** The rates in the answer to a HW_PARAM_QUERY; undefined without an answer. */
  takeRates(): { min: number; max: number } | undefined {
    if (this.ring.take(this.response) !== Taken.one) return undefined;
    if (this.response.status < 0) throw new Error(`refused: ${this.response.status}`);
    const param = new HwParam();
    this.response.readHwParam(param);
    return { ...param.rates };
  }

  /** Takes all pending events and returns their positions in octets. */
  takePositions(): number[] {
    const positions: number[] = [];
    while (this.#consumer.take(this.#event) === Taken.one) positions.push(this.#event.position);
    return positions;
  }
}
