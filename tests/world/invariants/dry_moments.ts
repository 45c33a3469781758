// SPDX-License-Identifier: MIT
/** When devices of hardware ran dry: each time that one of them began to play what nobody had written, or stopped by itself. */
import { HardwarePcm } from "../sound/hardware_pcm.ts";
import type { HostPcm } from "../sound/host_pcm.ts";
import type { PlayedRun, StopCause } from "../sound/reports.ts";

export class DryMoments {
  readonly #times: number[] = [];
  /** For each device, whether it was dry in the end, and by how much its position was ahead of the application's. */
  readonly #last = new WeakMap<HostPcm, { readonly isDry: boolean; readonly ahead: number }>();

  /** To be called with all that a device plays. A device that jumps counts as dry for a moment. */
  played(pcm: HostPcm, { position, source, isRepeat, from }: PlayedRun): void {
    if (!(pcm instanceof HardwarePcm)) return;
    const last = this.#last.get(pcm);
    const isDry = source < 0 || isRepeat;
    const ahead = isDry ? last?.ahead ?? 0 : position - source;
    if (isDry ? !last?.isDry : last !== undefined && last.ahead !== ahead) this.#times.push(from);
    this.#last.set(pcm, { isDry, ahead });
  }

  /** To be called when a device stops. */
  stopped(pcm: HostPcm, cause: StopCause, time: number): void {
    if (pcm instanceof HardwarePcm && cause !== "drop" && cause !== "close") this.#times.push(time);
  }

  /** The times from `from` to `to`, µs, at which some device ran dry. */
  between(from: number, to: number): readonly number[] {
    return this.#times.filter((time) => from <= time && time <= to);
  }
}
