// SPDX-License-Identifier: MIT
/**
 * Programs of the world that are no processes of ours, such as xl, as generators: the world goes on between any two steps. A program
 * can be killed at each of its pauses. Its `finally` blocks run then: they are what the kernel takes back, as an open transaction.
 */
import { StoreError } from "../../../lib/xen/ports.ts";
import type { Clock } from "../machine/clock.ts";
import type { Random } from "../machine/random.ts";
import { ControlError } from "./services.ts";

/** A pause of a program: calls `wake` once, through the clock. Returns a function that ends the pause without a call. */
export type Pause = (wake: () => void) => () => void;

/** A program that returns a `T`. */
export type Steps<T> = Generator<Pause, T, void>;

/** A program gives up: what it prints, and exits with an error. */
export class ProgramError extends Error {
  override name = "ProgramError";
}

/** The errors that end a program. Any other error is a defect of the world. */
const EXPECTED = [ProgramError, ControlError, StoreError];

export type Outcome<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "killed" };

/** A program that runs. */
export class Program<T> {
  /** The pauses so far. */
  steps = 0;
  /** Undefined while the program runs. */
  outcome: Outcome<T> | undefined;
  #endPause: () => void = () => {};
  #stepsToLive = Infinity;
  readonly #ended: ((outcome: Outcome<T>) => void)[] = [];

  /** Starts `program`, whose first step comes with its first pause's end at the latest. */
  constructor(readonly name: string, private readonly program: Steps<T>, clock: Clock) {
    const start = clock.after(0, () => this.#step());
    this.#endPause = () => clock.cancel(start);
  }

  get isRunning(): boolean {
    return this.outcome === undefined;
  }

  /** Calls `ended` when the program ends, or now if it has ended. */
  whenEnded(ended: (outcome: Outcome<T>) => void): this {
    if (this.outcome === undefined) this.#ended.push(ended);
    else ended(this.outcome);
    return this;
  }

  /** Kills the program where it stands. */
  kill(): void {
    if (!this.isRunning) return;
    this.#endPause();
    this.program.return(undefined as T);
    this.#end({ kind: "killed" });
  }

  /** Has the program killed in its `steps`th pause from now. */
  killAfter(steps: number): void {
    this.#stepsToLive = steps;
  }

  #step(): void {
    let next: IteratorResult<Pause, T>;
    try {
      next = this.program.next();
    } catch (error) {
      if (!EXPECTED.some((kind) => error instanceof kind)) throw error;
      return this.#end({ kind: "failed", reason: (error as Error).message });
    }
    if (next.done) return this.#end({ kind: "done", value: next.value });
    this.steps++;
    if (this.#stepsToLive-- <= 0) return this.kill();
    this.#endPause = next.value(() => this.#step());
  }

  #end(outcome: Outcome<T>): void {
    this.outcome = outcome;
    for (const ended of this.#ended.splice(0)) ended(outcome);
  }
}

/** A program of whatever result. */
export type AnyProgram = Pick<
  Program<unknown>,
  "name" | "steps" | "outcome" | "isRunning" | "kill" | "killAfter"
>;

/** A pause of `micros` µs. */
export function sleep(clock: Clock, micros: number): Pause {
  return (wake) => {
    const entry = clock.after(micros, wake);
    return () => clock.cancel(entry);
  };
}

/** The time between two steps of a program: mostly the time of a system call, now and then that of a program that had to wait. */
export function gap(random: Random): number {
  const kind = random.below(40);
  if (kind === 0) return random.between(20_000, 600_000);
  if (kind < 4) return random.between(1_000, 20_000);
  return random.between(5, 300);
}

/** Something that a program waits for: it is remembered until a pause takes it. */
export class Signal {
  #isRaised = false;
  #wake: (() => void) | undefined;

  raise(): void {
    this.#isRaised = true;
    this.#wake?.();
  }

  /** A pause until the signal is raised, or `time` has come. A program needs a moment until it runs again, `latency` µs. */
  until(clock: Clock, time: number, latency: number): Pause {
    return (wake) => {
      const end = () => {
        this.#wake = undefined;
        clock.cancel(entry);
      };
      const runAt = (time: number) =>
        clock.at(time, () => {
          end();
          wake();
        });
      let entry = runAt(time);
      this.#wake = () => {
        end();
        entry = runAt(clock.now + latency);
      };
      if (this.#isRaised) this.#wake();
      return end;
    };
  }

  /** Whether the signal was raised since the last call. */
  take(): boolean {
    const isRaised = this.#isRaised;
    this.#isRaised = false;
    return isRaised;
  }
}
