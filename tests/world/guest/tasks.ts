// SPDX-License-Identifier: MIT
/**
 * The threads of a guest: those of its kernel, and its programs. A thread is a generator. It sleeps at each `yield`, and the
 * clock resumes it. No promise is involved, and no thread runs inside of another one's call.
 */
import type { Clock } from "../machine/clock.ts";
import type { GuestDomain } from "../xen/guest_domain.ts";

/** The body of a thread, or of a call that may sleep. */
export type Blocking<T> = Generator<undefined, T, undefined>;

/** A thread of the guest's has made its kernel oops, and dies as it is: with the locks that it holds. */
export class Oops extends Error {
  override name = "Oops";
}

/** Why a thread has woken up. */
export type Woken = "woken" | "timeout" | "interrupted";

/** The most µs until a thread of the kernel's that is woken runs. */
const KERNEL_LATENCY = 4;

/** Threads that wait for the same thing (`wait_queue_head_t`), the first one first. */
export class WaitQueue {
  readonly #tasks: Task[] = [];

  add(task: Task): void {
    this.#tasks.push(task);
  }

  remove(task: Task): void {
    const place = this.#tasks.indexOf(task);
    if (place >= 0) this.#tasks.splice(place, 1);
  }

  wakeAll(): void {
    while (this.#tasks.length > 0) this.#tasks[0]!.wake("woken");
  }

  wakeOne(): void {
    this.#tasks[0]?.wake("woken");
  }
}

export class Task {
  /** The program has got SIGKILL: sleeps that a signal interrupts end at once. */
  isKilled = false;
  isOver = false;
  woken: Woken = "woken";
  #isAsleep = false;
  #isInterruptible = false;
  #queue: WaitQueue | undefined;
  #deadline = Infinity;
  #timer: (() => void) | undefined;
  #timerTime = Infinity;

  /** @param isUser whether the thread belongs to a program, and is frozen while the guest is suspended */
  constructor(
    readonly tasks: Tasks,
    readonly name: string,
    readonly isUser: boolean,
    readonly body: Blocking<void>,
  ) {}

  /** Called by the thread itself, before it yields. */
  fallAsleep(queue: WaitQueue | undefined, deadline: number, isInterruptible: boolean): void {
    this.#isAsleep = true;
    this.#isInterruptible = isInterruptible;
    this.#queue = queue;
    this.#deadline = deadline;
    queue?.add(this);
    if (deadline !== Infinity) this.#arm(deadline);
  }

  /** A timer that is set earlier stays, and sets itself anew: most sleeps end long before their timeout. */
  #arm(deadline: number): void {
    if (this.#timerTime <= deadline) return;
    const { clock, domain } = this.tasks;
    this.#timer?.();
    this.#timerTime = deadline;
    this.#timer = domain.after(deadline - clock.now, () => this.#expire());
  }

  #expire(): void {
    this.#timerTime = Infinity;
    if (!this.#isAsleep || this.#deadline === Infinity) return;
    if (this.tasks.clock.now >= this.#deadline) this.wake("timeout");
    else this.#arm(this.#deadline);
  }

  wake(woken: Woken): void {
    if (!this.#isAsleep) return;
    this.#isAsleep = false;
    this.#queue?.remove(this);
    this.#queue = undefined;
    this.woken = woken;
    this.tasks.run(this);
  }

  kill(): void {
    this.isKilled = true;
    if (this.#isInterruptible) this.wake("interrupted");
  }

  end(): void {
    this.isOver = true;
    this.#timer?.();
  }
}

export class Tasks {
  readonly #all = new Set<Task>();
  /** Programs that are to run once the guest is not suspended any more. */
  #later: Task[] = [];
  #isFrozen = false;
  #current: Task | undefined;
  /** Called after a thread has made the kernel oops. */
  onOops: (text: string) => void = () => {};
  /** The most µs until a program that is woken runs. A guest with much to do has more. */
  mostLatency = 40;

  constructor(readonly clock: Clock, readonly domain: GuestDomain) {}

  /** The thread that runs. */
  get current(): Task {
    if (this.#current === undefined) throw new Error("code of no thread sleeps");
    return this.#current;
  }

  get count(): number {
    return this.#all.size;
  }

  /** Starts a thread. */
  spawn(name: string, isUser: boolean, body: () => Blocking<void>): Task {
    const task = new Task(this, name, isUser, body());
    this.#all.add(task);
    this.run(task);
    return task;
  }

  /** Has `task` run as soon as there is a processor for it. The kernel's threads are real-time ones, and come first. */
  run(task: Task): void {
    const { random } = this.domain;
    const latency = task.isUser
      ? random.between(KERNEL_LATENCY + 1, this.mostLatency)
      : random.between(1, KERNEL_LATENCY);
    this.domain.after(latency, () => this.#resume(task));
  }

  #resume(task: Task): void {
    if (task.isOver) return;
    if (task.isUser && this.#isFrozen) return void this.#later.push(task);
    this.#current = task;
    try {
      if (task.body.next().done === true) this.#ended(task);
    } catch (error) {
      if (!(error instanceof Oops)) throw error;
      this.#ended(task);
      this.onOops(error.message);
    } finally {
      this.#current = undefined;
    }
  }

  #ended(task: Task): void {
    task.end();
    this.#all.delete(task);
  }

  /** Stops the programs, until {@link thaw}. */
  freeze(): void {
    this.#isFrozen = true;
  }

  thaw(): void {
    this.#isFrozen = false;
    const later = this.#later;
    this.#later = [];
    for (const task of later) this.run(task);
  }

  /** Sleeps until `queue` is woken, or for `micros` µs. A signal ends a sleep that `isInterruptible`. */
  *sleep(queue: WaitQueue | undefined, micros: number, isInterruptible: boolean): Blocking<Woken> {
    const task = this.current;
    if (isInterruptible && task.isKilled) return "interrupted";
    task.fallAsleep(queue, micros === Infinity ? Infinity : this.clock.now + micros, isInterruptible);
    yield;
    return task.woken;
  }
}

/** `struct mutex`. */
export class Mutex {
  #owner: Task | undefined;
  readonly #queue = new WaitQueue();

  constructor(private readonly tasks: Tasks) {}

  get isLocked(): boolean {
    return this.#owner !== undefined;
  }

  *lock(): Blocking<void> {
    const task = this.tasks.current;
    if (this.#owner === task) throw new Error(`${task.name} locks a mutex that it holds`);
    while (this.#owner !== undefined) yield* this.tasks.sleep(this.#queue, Infinity, false);
    this.#owner = task;
  }

  unlock(): void {
    if (this.#owner !== this.tasks.current) throw new Error("a mutex is unlocked that another thread holds");
    this.#owner = undefined;
    this.#queue.wakeOne();
  }
}

/** `struct completion`. */
export class Completion {
  #done = 0;
  readonly #queue = new WaitQueue();

  constructor(private readonly tasks: Tasks) {}

  /** `reinit_completion`. */
  reinit(): void {
    this.#done = 0;
  }

  complete(): void {
    this.#done++;
    this.#queue.wakeOne();
  }

  completeAll(): void {
    this.#done = Infinity;
    this.#queue.wakeAll();
  }

  /** `wait_for_completion_timeout`: whether the completion came. */
  *wait(micros: number): Blocking<boolean> {
    const deadline = this.tasks.clock.now + micros;
    while (this.#done === 0) {
      const left = deadline - this.tasks.clock.now;
      if (left <= 0) return false;
      yield* this.tasks.sleep(this.#queue, left, false);
    }
    this.#done--;
    return true;
  }
}
