// SPDX-License-Identifier: MIT
/** When devices of hardware ran dry: each time that one of them began to play what nobody had written, or stopped by itself. */
import { HardwarePcm } from "../sound/hardware_pcm.ts";
import type { HostPcm } from "../sound/host_pcm.ts";
import type { PlayedRun, StopCause } from "../sound/reports.ts";

/** A time in which a device was dry, µs. */
export interface DrySpan {
  readonly from: number;
  to: number;
}

export class DryMoments {
  readonly #spans: DrySpan[] = [];
  /** For each device, in which span it was in the end, and by how much its position was ahead of the application's. */
  readonly #last = new WeakMap<HostPcm, { readonly span: DrySpan | undefined; readonly ahead: number }>();

  /** To be called with all that a device plays. A device that jumps counts as dry for a moment. */
  played(pcm: HostPcm, { position, source, isRepeat, from, until }: PlayedRun): void {
    if (!(pcm instanceof HardwarePcm)) return;
    const last = this.#last.get(pcm);
    if (source < 0 || isRepeat) {
      const span = last?.span ?? this.#add(from);
      span.to = until;
      return void this.#last.set(pcm, { span, ahead: last?.ahead ?? 0 });
    }
    const ahead = position - source;
    if (last !== undefined && last.ahead !== ahead) this.#add(from);
    this.#last.set(pcm, { span: undefined, ahead });
  }

  /** To be called when a device stops. */
  stopped(pcm: HostPcm, cause: StopCause, time: number): void {
    if (pcm instanceof HardwarePcm && cause !== "drop" && cause !== "close") this.#add(time);
  }

  #add(time: number): DrySpan {
    const span = { from: time, to: time };
    this.#spans.push(span);
    return span;
  }

  /** The times that begin from `from` to `to`, µs. */
  between(from: number, to: number): readonly DrySpan[] {
    return this.#spans.filter((span) => from <= span.from && span.from <= to);
  }
}
