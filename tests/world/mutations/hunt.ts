// SPDX-License-Identifier: MIT
/** Looks for a planted defect: plays one world after the other until an invariant, a crash or a hang tells of it. */
import { lines } from "../../../lib/control/lines.ts";

/** How a program that plays worlds has ended. */
export interface Outcome {
  /** The invariant that was violated; `crash` or `hang`; undefined: all invariants held. */
  readonly finder: string | undefined;
  /** The last seed that was played. */
  readonly seed: number;
  /** Events of all seeds up to then. */
  readonly events: number;
}

/** How long a defect is looked for. */
export interface Budget {
  /** Seeds 1 to this one. */
  readonly seeds: number;
  /** Events of each seed. */
  readonly events: number;
  /** The most time for one seed, in ms of the real clock. */
  readonly timeoutMs: number;
}

/** Starts a program that plays the worlds from seed `first` on; returns how it ended. */
export type Run = (first: number) => Promise<Outcome>;

/**
 * Plays the seeds 1, 2, 3, ... until one finds something, or the budget has been used. A seed that hangs is tried once more: the
 * machine itself may have stood still.
 */
export async function hunt(run: Run, budget: Budget): Promise<Outcome> {
  let before = 0;
  let hung = 0;
  for (let first = 1;;) {
    const { finder, seed, events } = await run(first);
    if (finder !== "hang" || hung === seed) return { finder, seed, events: before + events };
    hung = first = seed;
    before += events - budget.events;
  }
}

/** What a program that plays worlds from seed `first` on has printed so far. */
export class Report {
  #finder: string | undefined;
  #event: number | undefined;
  #events = 0;
  #seed: number;

  constructor(first: number) {
    this.#seed = first;
  }

  /** Takes the next line. */
  add(line: string): void {
    const [, seed, events] = /^seed (\d+): (\d+) events.*: all invariants hold$/.exec(line) ?? [];
    if (seed !== undefined) {
      this.#seed = Number(seed) + 1;
      this.#events += Number(events);
      return;
    }
    this.#finder ??= /\bviolation: ([^:]+):/.exec(line)?.[1];
    const event = /\bat event (\d+)\b/.exec(line)?.[1];
    if (event !== undefined) this.#event ??= Number(event);
  }

  /** Whether nothing that follows matters. */
  get isComplete(): boolean {
    return this.#finder !== undefined && this.#event !== undefined;
  }

  /**
   * How the program ended.
   * @param code the exit code; undefined: a seed was not played to its end in time
   */
  outcome(code: number | undefined, { events }: Budget): Outcome {
    if (code === 0) return { finder: undefined, seed: this.#seed - 1, events: this.#events };
    const finder = this.#finder ?? (code === undefined ? "hang" : "crash");
    return { finder, seed: this.#seed, events: this.#events + (this.#event ?? events) };
  }
}

/**
 * Runs `command`, which plays worlds from seed `first` on. Ends it as soon as it has told what it found: a world that shrinks its events
 * takes longer.
 */
export async function runWorlds(command: Deno.Command, first: number, budget: Budget): Promise<Outcome> {
  await using child = command.spawn();
  const report = new Report(first);
  let isLate = false;
  const end = () => {
    try {
      child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended by itself
    }
  };
  const whenLate = () => {
    isLate = true;
    end();
  };
  let timer = setTimeout(whenLate, budget.timeoutMs);
  const follow = async (output: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const line of lines(output)) {
      clearTimeout(timer);
      timer = setTimeout(whenLate, budget.timeoutMs);
      report.add(line);
      if (report.isComplete) end();
    }
  };
  try {
    const [{ code }] = await Promise.all([child.status, follow(child.stdout), follow(child.stderr)]);
    return report.outcome(isLate && !report.isComplete ? undefined : code, budget);
  } finally {
    clearTimeout(timer);
  }
}
