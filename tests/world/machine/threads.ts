// SPDX-License-Identifier: MIT
/**
 * Engines as threads of the virtual machine: what `Worker` makes there. An engine's turn runs whenever its poll(2) would return, a
 * moment later.
 */
import type { EngineStart } from "../../../lib/bridge/messages.ts";
import { Engine } from "../../../lib/engine/engine.ts";
import { adoptEventChannels } from "../../../lib/xen/mod.ts";
import type { Entry } from "./clock.ts";
import { waitingOf, whenReady } from "./libc.ts";
import { currentThread, type Process, type Thread } from "./process.ts";

/** µs of a turn that has served something. */
const TURN_MICROS = 40;

/** An engine's Worker. */
export class EngineThread {
  readonly thread: Thread;
  readonly #process: Process;
  #engine: Engine | undefined;
  #wake: Entry | undefined;
  #endSleep: () => void = () => {};
  onerror: ((event: ErrorEvent) => void) | null = null;

  constructor(_url: URL, _options?: unknown) {
    this.#process = currentThread().process;
    this.thread = this.#process.thread("engine");
  }

  postMessage(start: EngineStart): void {
    this.thread.post(this.#process.latency(), () => void this.#start(start), 20);
  }

  async #start(start: EngineStart): Promise<void> {
    const engine = new Engine(start, await adoptEventChannels(start.channels));
    engine.ready({ realtimeErrno: 0, threadId: 0 });
    this.#engine = engine;
    this.#turnIn(0);
  }

  /** The engine, once it runs. */
  get engine(): Engine | undefined {
    return this.#engine;
  }

  #turnIn(micros: number): void {
    if (this.#wake !== undefined) return;
    this.#wake = this.#process.clock.after(micros, () => this.#turn());
  }

  #turn(): void {
    this.#wake = undefined;
    this.#endSleep();
    const engine = this.#engine;
    const { thread } = this;
    if (engine === undefined || !this.#process.isAlive) return;
    if (thread.isBusy) {
      this.#wake = this.#process.clock.at(thread.busyUntil, () => this.#turn());
      return;
    }
    thread.execNow(() => {
      if (!engine.isStopping) engine.turn();
      if (engine.isStopping) engine.end();
    });
    if (!this.#process.isAlive) return;
    if (engine.isStopping) {
      this.#engine = undefined;
      return this.#process.endThread(thread);
    }
    const waiting = waitingOf(thread);
    if (waiting === undefined) return this.#turnIn(TURN_MICROS);
    this.#endSleep = whenReady(waiting.files, () => this.#turnIn(this.#process.latency()));
    if (waiting.until !== undefined) {
      const until = this.#process.clock.at(waiting.until, () => this.#turnIn(0));
      const end = this.#endSleep;
      this.#endSleep = () => {
        end();
        this.#process.clock.cancel(until);
      };
    }
  }

  terminate(): void {
    this.#endSleep();
    this.#process.clock.cancel(this.#wake);
    this.#engine = undefined;
    this.#process.endThread(this.thread);
  }
}
