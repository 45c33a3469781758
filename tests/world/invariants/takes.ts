// SPDX-License-Identifier: MIT
/** What devices played and recorded between each of their starts and the stop after it, which is a take. */
import type { StreamAccount } from "../guest/account.ts";
import type { HostPcm } from "../sound/host_pcm.ts";
import type { ReadRun } from "../sound/reports.ts";

/** Frames of one stream that a device played one after the other. */
export interface TakeRun {
  /** The number of the take, and when the device was started, µs. */
  readonly take: number;
  readonly startedAt: number;
  readonly pcm: HostPcm;
  /** The number of the first frame, and the device's position there. */
  readonly first: number;
  readonly position: number;
  count: number;
}

export class Takes {
  /** The take of each device that was started. */
  readonly #takes = new WeakMap<HostPcm, Pick<TakeRun, "take" | "startedAt">>();
  #lastTake = 0;
  readonly #played = new WeakMap<StreamAccount, TakeRun[]>();
  readonly #origins = new Set<number>();

  started(pcm: HostPcm, startedAt: number): void {
    this.#takes.set(pcm, { take: ++this.#lastTake, startedAt });
  }

  /** `pcm` plays `count` frames of the stream, from number `first` on. */
  played(account: StreamAccount, pcm: HostPcm, first: number, count: number, position: number): void {
    let runs = this.#played.get(account);
    if (runs === undefined) this.#played.set(account, runs = []);
    const { take, startedAt } = this.#takes.get(pcm) ?? { take: 0, startedAt: 0 };
    const last = runs.findLast((run) => run.take === take);
    const isNext = last !== undefined && first === last.first + last.count &&
      position === last.position + last.count;
    if (isNext) last.count += count;
    else runs.push({ take, startedAt, pcm, first, position, count });
  }

  /** Takes out the runs of the stream that begin before the frame `end`. */
  takeOut(account: StreamAccount, end: number): TakeRun[] {
    const runs = this.#played.get(account) ?? [];
    this.#played.set(account, runs.filter(({ first }) => first >= end));
    return runs.filter(({ first }) => first < end);
  }

  /** A program has taken frames of a microphone. */
  read({ number, position }: ReadRun): void {
    this.#origins.add(number - position);
  }

  /** Whether some device gave the microphone's frame `origin + n` as its `n`th frame since its start. */
  hasOrigin(origin: number): boolean {
    return this.#origins.has(origin);
  }
}
