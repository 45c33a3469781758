// SPDX-License-Identifier: MIT
/**
 * The processes of the virtual machine: the daemon, and each command that an operator runs. A process has threads, which take
 * turns, open files, timers and connections; all of that ends with the process. Code of a process runs only inside of
 * {@link Thread.exec}, one thread at a time, so that {@link currentThread} is right also in the promises' reactions.
 *
 * A process can be killed between two turns, or in the middle of one: at its nth system call from now. That call, and every
 * later one of the process, throws {@link Killed}, and has no effect.
 */
import { setImmediate } from "node:timers";
import type { Clock, Entry } from "./clock.ts";
import type { OpenFile } from "./files.ts";

/** A system call of a process that is dead. */
export class Killed extends Error {
  override name = "Killed";
}

/** Whether `error` comes of the death of its process, also as the cause of another error, or below one of a disposal. */
export function isOfDeath(error: unknown): boolean {
  if (error instanceof Killed) return true;
  if (error instanceof SuppressedError) return isOfDeath(error.suppressed) || isOfDeath(error.error);
  return error instanceof Error && error.cause !== undefined && isOfDeath(error.cause);
}

/** Resolves when every promise's reactions have run that can run by now. */
export function settled(rounds = 1): Promise<void> {
  return new Promise((resolve) => {
    const next = (left: number) => left === 0 ? resolve() : setImmediate(next, left - 1);
    next(rounds);
  });
}

/** Calls in which a kill matters most: an answer is on the ring, and its guest is not told; pages are mapped, and others are not. */
export const CALL_KINDS = ["notify", "map", "unmap"] as const;
export type CallKind = typeof CALL_KINDS[number];

let current: Thread | undefined;

/** The thread whose code runs now. Throws outside of {@link Thread.exec}. */
export function currentThread(): Thread {
  if (current === undefined) throw new Error("code of no process makes a system call");
  return current;
}

/** The thread whose code runs now, if any does. */
export function runningThread(): Thread | undefined {
  return current;
}

/** Slow turns that a thread remembers, and the least µs of one. */
const SLOW_TURNS = 64;
const SLOW_MICROS = 500;

/** One thread: the main thread of a process, with its event loop, or an engine. */
export class Thread {
  /** µs that the thread has spent in the present turn, inside of slow system calls. */
  #spent = 0;
  #busyUntil = 0;
  /** System calls in the present turn, and the most in any turn so far. */
  calls = 0;
  mostCalls = 0;
  /** How many turns the thread has had. */
  turns = 0;
  /** The latest turns that have taken long, for their slow calls. */
  readonly slowTurns: { readonly from: number; readonly to: number }[] = [];

  constructor(readonly process: Process, readonly name: string) {}

  /** The thread's own time, µs: its slow calls count. */
  get now(): number {
    return this.process.clock.now + this.#spent;
  }

  get busyUntil(): number {
    return this.#busyUntil;
  }

  /** Whether the thread is still in a slow call, or has no processor. */
  get isBusy(): boolean {
    return this.#busyUntil > this.process.clock.now;
  }

  /** Has the thread stand still for `micros` µs, as in a call that blocks. */
  spend(micros: number): void {
    this.#spent += micros;
    if (current === this) this.process.clock.ahead = this.#spent;
  }

  /** Lets the thread do nothing before the time `time`, as a scheduler would that gives it no processor. */
  stallUntil(time: number): void {
    this.#busyUntil = Math.max(this.#busyUntil, time);
  }

  /**
   * Runs `turn` as the thread's code, `micros` µs from now or as soon as the thread is free. Does nothing if the process is dead by
   * then. `rounds`: of the event loop, for code that imports.
   */
  post(micros: number, turn: () => void, rounds = 1): Entry {
    return this.process.clock.after(micros, () => this.#run(turn, rounds));
  }

  #run(turn: () => void, rounds: number): void | Promise<void> {
    const { clock } = this.process;
    if (!this.process.isAlive) return;
    if (this.#busyUntil > clock.now) {
      clock.at(this.#busyUntil, () => this.#run(turn, rounds));
      return;
    }
    return this.exec(turn, rounds);
  }

  /** Runs `turn` as the thread's code, now, and all promises' reactions that follow from it. */
  async exec(turn: () => void, rounds = 1): Promise<void> {
    if (!this.#begin()) return;
    try {
      turn();
    } catch (error) {
      this.#failed(error);
    }
    // Also after an error: the reactions to what came before it are this thread's.
    await settled(rounds);
    this.#end();
  }

  /** Runs `turn`, from which no promise's reaction follows, as the thread's code. */
  execNow(turn: () => void): void {
    if (!this.#begin()) return;
    try {
      turn();
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#end();
    }
  }

  #begin(): boolean {
    if (!this.process.isAlive) return false;
    if (current !== undefined) throw new Error(`${current.name} runs, and ${this.name} is to run`);
    current = this;
    this.#spent = this.calls = 0;
    this.turns++;
    return true;
  }

  #failed(error: unknown): void {
    if (!isOfDeath(error)) this.process.failed(error);
  }

  #end(): void {
    // What this thread has written to shared memory after a slow call is there too soon: nobody may look before its time.
    if (this.#spent > 0 && this !== this.process.main) this.process.main.stallUntil(this.now);
    this.#busyUntil = Math.max(this.#busyUntil, this.now);
    this.mostCalls = Math.max(this.mostCalls, this.calls);
    if (this.#spent > SLOW_MICROS) this.#wasSlow();
    this.#spent = this.process.clock.ahead = 0;
    current = undefined;
    this.process.turnEnds();
  }

  #wasSlow(): void {
    this.slowTurns.push({ from: this.process.clock.now, to: this.now });
    if (this.slowTurns.length > SLOW_TURNS) this.slowTurns.shift();
  }
}

export interface ProcessOptions {
  /** The domain in which the process runs. */
  readonly domid: number;
  readonly pid: number;
  /** The most descriptors that the process may have open. */
  readonly descriptors?: number;
  /** µs until a thread that has been woken runs. */
  readonly latency: () => number;
  /** Called after each turn of a thread. */
  readonly turned?: () => void;
  /** Called with what a thread has thrown, or no promise has taken: a defect. */
  readonly failed: (error: unknown) => void;
}

export class Process {
  readonly main: Thread;
  readonly #threads = new Set<Thread>();
  readonly files = new Map<number, OpenFile>();
  readonly timers = new Map<number, Entry>();
  readonly signals = new Map<string, Set<() => void>>();
  /** What ends with the process. */
  readonly #ends = new Set<() => void>();
  /** System calls until the process dies in the middle of one; undefined: it lives on. */
  #callsToLive: number | undefined;
  /** The kind of call in which the process dies; undefined: it lives on. */
  #fatalCall: CallKind | undefined;
  #isAlive = true;
  #isDying = false;
  domid: number;
  readonly pid: number;
  /** Until when no thread of the pool has a processor, µs. */
  poolStallsUntil = 0;
  /** Calls of the pool's threads that are over, and of which the main thread does not know yet. */
  poolReturns = 0;
  /** The most descriptors; may change. */
  descriptors: number;
  readonly failed: (error: unknown) => void;
  readonly latency: () => number;
  readonly #turned: () => void;

  constructor(readonly clock: Clock, readonly name: string, options: ProcessOptions) {
    this.domid = options.domid;
    this.pid = options.pid;
    this.descriptors = options.descriptors ?? 1024;
    this.failed = options.failed;
    this.latency = options.latency;
    this.#turned = options.turned ?? (() => {});
    this.main = this.thread("main");
  }

  thread(name: string): Thread {
    const thread = new Thread(this, `${this.name}/${name}`);
    this.#threads.add(thread);
    return thread;
  }

  get threads(): readonly Thread[] {
    return [...this.#threads];
  }

  endThread(thread: Thread): void {
    this.#threads.delete(thread);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /**
   * Called at the beginning of every system call: throws {@link Killed} if the process is dead, or dies here. Nothing that the
   * process has done before is undone.
   */
  call(kind?: CallKind): void {
    if (current !== undefined) current.calls++;
    if (this.#callsToLive !== undefined && this.#callsToLive-- <= 0) this.#isDying = true;
    if (kind !== undefined && kind === this.#fatalCall) this.#isDying = true;
    if (!this.#isAlive || this.#isDying) throw new Killed(this.name);
  }

  /** Whether the process is dead, or about to be at the end of this turn. */
  get isDead(): boolean {
    return !this.#isAlive || this.#isDying;
  }

  /** Has the process die in its next call of a kind. */
  killIn(kind: CallKind): void {
    this.#fatalCall = kind;
  }

  /** Has the process die at its `calls`th system call from now. */
  killAfter(calls: number): void {
    this.#callsToLive = calls;
  }

  /** Calls `end` when the process ends, by itself or killed. Returns a function that undoes that. */
  atEnd(end: () => void): () => void {
    this.#ends.add(end);
    return () => void this.#ends.delete(end);
  }

  /** At the end of each turn: a process that dies in it is gone now. */
  turnEnds(): void {
    this.#turned();
    if (this.#isDying && this.#isAlive) this.kill();
  }

  /** Ends the process between two turns. The kernel takes back all that it had. */
  kill(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    for (const entry of this.timers.values()) this.clock.cancel(entry);
    this.timers.clear();
    for (const end of this.#ends) end();
    this.#ends.clear();
    for (const file of this.files.values()) file.close();
    this.files.clear();
    this.#threads.clear();
  }

  /** Opens `file`: its descriptor, or -1 if the process has as many as it may. */
  open(file: OpenFile): number {
    if (this.files.size >= this.descriptors - 3) return -1;
    let fd = 3;
    while (this.files.has(fd)) fd++;
    this.files.set(fd, file);
    return fd;
  }

  /** Sends the process a signal. */
  signal(name: string): void {
    for (const handler of [...this.signals.get(name) ?? []]) this.main.post(0, handler, 20);
  }
}
