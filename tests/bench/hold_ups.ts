// SPDX-License-Identifier: MIT
/**
 * How long this machine holds up a thread that wants to run: the baseline of xruns. A thread on each processor sleeps and wakes. What
 * such a thread oversleeps, a player or an engine may oversleep too. An xrun while no thread was held up is a defect.
 */
import { availableParallelism } from "node:os";

/** What the thread of a processor is started with. */
export interface HoldUpStart {
  /** In µs, by processor: the longest time that its thread has overslept. */
  readonly overslept: Int32Array<SharedArrayBuffer>;
  readonly processor: number;
  /** One word; 1: the thread is to end. A thread that never ends by itself cannot be terminated. */
  readonly end: Int32Array<SharedArrayBuffer>;
}

/**
 * The least hold-up, in ms, that explains an xrun of a player at 48 kHz: a period. The player's buffer is four, and several threads
 * wait for one another.
 */
export const explainsXrunMs = (periodFrames: number): number => periodFrames / 48;

export class HoldUps implements Disposable {
  readonly #overslept = new Int32Array(new SharedArrayBuffer(4 * availableParallelism()));
  readonly #end = new Int32Array(new SharedArrayBuffer(4));
  readonly #threads: Worker[];

  constructor() {
    this.#threads = Array.from(this.#overslept, (_, processor) => {
      const thread = new Worker(new URL("hold_ups_worker.ts", import.meta.url), { type: "module" });
      thread.postMessage({ overslept: this.#overslept, processor, end: this.#end } satisfies HoldUpStart);
      return thread;
    });
  }

  /** The longest time, in ms, that a thread was held up since the last call. */
  takeLongestMs(): number {
    const micros = Array.from(
      this.#overslept,
      (_, processor) => Atomics.exchange(this.#overslept, processor, 0),
    );
    return Math.max(...micros) / 1000;
  }

  [Symbol.dispose](): void {
    Atomics.store(this.#end, 0, 1);
    Atomics.notify(this.#end, 0);
    for (const thread of this.#threads) thread.terminate();
  }
}
