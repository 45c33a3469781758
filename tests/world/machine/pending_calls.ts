// SPDX-License-Identifier: MIT
/**
 * Asynchronous system calls of one kind on one file: reads, writes, or accepts. They are done in their order. A call that cannot be
 * done waits for its file; its process learns of the result a latency later, and not at all once the process is dead.
 */
import type { OpenFile } from "./files.ts";
import { type Process, runningThread } from "./process.ts";

interface Call<T> {
  readonly attempt: () => T | undefined;
  readonly resolve: (result: T) => void;
  readonly reject: (error: unknown) => void;
}

export class PendingCalls<T> {
  readonly #waiting: Call<T>[] = [];
  /** The process is about to try the first call again. */
  #isWoken = false;
  #isWatching = false;
  /** When the latest result arrives: none overtakes another. */
  #lastArrival = 0;
  readonly #look = () => {
    if (this.#isWoken || this.#waiting.length === 0 || !this.isReady()) return;
    this.#isWoken = true;
    this.process.main.post(this.process.latency(), () => this.#tryAgain());
  };

  /**
   * @param process the process that owns the file
   * @param isReady whether the first call may be done
   */
  constructor(
    private readonly process: Process,
    private readonly file: OpenFile,
    private readonly isReady: () => boolean,
  ) {}

  /** Makes a call. `attempt` carries it out; its result is undefined if the call has to wait, and it throws the call's error. */
  start(attempt: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#requireOwner();
      this.process.call();
      const call = { attempt, resolve, reject };
      const settle = this.#waiting.length > 0 ? undefined : settlementOf(call);
      if (settle !== undefined) return this.#arrive(this.process.latency(), settle);
      this.#waiting.push(call);
      if (!this.#isWatching) this.file.watchers.add(this.#look);
      this.#isWatching = true;
    });
  }

  /** Reports the use of another process's file as a defect of the world: the code may catch the error. */
  #requireOwner(): void {
    const thread = runningThread();
    if (thread?.process === this.process) return;
    const error = new Error(`${thread?.name ?? "code of no process"} uses a file of ${this.process.name}`);
    this.process.failed(error);
    throw error;
  }

  /** Rejects all calls that wait, as when their file is closed. */
  cancel(error: () => Error): void {
    for (const { reject } of this.#waiting.splice(0)) this.#arrive(0, () => reject(error()));
  }

  #tryAgain(): void {
    this.#isWoken = false;
    const [call] = this.#waiting;
    if (call === undefined) return;
    this.process.call();
    const settle = settlementOf(call);
    if (settle === undefined) return;
    this.#waiting.shift();
    this.#arrive(0, settle);
    this.#look();
  }

  /** Has the process learn of a result after `micros`. */
  #arrive(micros: number, settle: () => void): void {
    const { now } = this.process.clock;
    this.#lastArrival = Math.max(this.#lastArrival, now + micros);
    if (this.#lastArrival > now || micros > 0) this.process.main.post(this.#lastArrival - now, settle);
    else settle();
  }
}

/** Carries a call out: what settles its promise; undefined if the call has to wait. */
function settlementOf<T>({ attempt, resolve, reject }: Call<T>): (() => void) | undefined {
  try {
    const result = attempt();
    return result === undefined ? undefined : () => resolve(result);
  } catch (error) {
    return () => reject(error);
  }
}
