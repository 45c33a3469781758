// SPDX-License-Identifier: MIT
/** Looks for a planted defect: runs the world with one seed after the other until an invariant, a crash or a hang tells of it. */
import { lines } from "../../../lib/control/lines.ts";

/** How one run of the world has ended. */
export interface Outcome {
  /** The invariant that was violated; `crash` or `hang`; undefined: all invariants held. */
  readonly finder: string | undefined;
  /** Events up to then. */
  readonly events: number;
}

/** How long the world is looked at. */
export interface Budget {
  /** Seeds 1 to this one. */
  readonly seeds: number;
  /** Events of each seed. */
  readonly events: number;
  /** The most time for one seed, in ms of the real clock. */
  readonly timeoutMs: number;
}

export interface Finding {
  /** As in {@link Outcome}; undefined: the defect was not found. */
  readonly finder: string | undefined;
  /** The seed that found it; otherwise the last one. */
  readonly seed: number;
  /** Events of all seeds up to then. */
  readonly events: number;
}

/**
 * Runs `run` with the seeds 1, 2, 3, ... until one finds something, or the budget has been used. A run that hangs is tried once
 * more: the machine itself may have stood still.
 */
export async function hunt(run: (seed: number) => Promise<Outcome>, { seeds }: Budget): Promise<Finding> {
  let events = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    let outcome = await run(seed);
    if (outcome.finder === "hang") outcome = await run(seed);
    events += outcome.events;
    if (outcome.finder !== undefined) return { finder: outcome.finder, seed, events };
  }
  return { finder: undefined, seed: seeds, events };
}

/** What a run of the world has printed so far. */
export class Report {
  #finder: string | undefined;
  #event: number | undefined;

  /** Takes the next line. */
  add(line: string): void {
    this.#finder ??= /\bviolation: ([^:]+):/.exec(line)?.[1];
    const event = /\bat event (\d+)\b/.exec(line)?.[1];
    if (event !== undefined) this.#event ??= Number(event);
  }

  /** Whether nothing that follows matters. */
  get isComplete(): boolean {
    return this.#finder !== undefined && this.#event !== undefined;
  }

  /**
   * The outcome of a run of `events` events.
   * @param code the exit code; undefined: the run did not end in time
   */
  outcome(code: number | undefined, events: number): Outcome {
    if (code === 0) return { finder: undefined, events };
    const finder = this.#finder ?? (code === undefined ? "hang" : "crash");
    return { finder, events: this.#event ?? events };
  }
}

/** Runs the world of `command` once. Ends it as soon as it has told what it found: a world that shrinks its events takes longer. */
export async function runWorld(command: Deno.Command, { events, timeoutMs }: Budget): Promise<Outcome> {
  await using child = command.spawn();
  const report = new Report();
  let isLate = false;
  const end = () => {
    try {
      child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended by itself
    }
  };
  const timer = setTimeout(() => {
    isLate = true;
    end();
  }, timeoutMs);
  const follow = async (output: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const line of lines(output)) {
      report.add(line);
      if (report.isComplete) end();
    }
  };
  try {
    const [{ code }] = await Promise.all([child.status, follow(child.stdout), follow(child.stderr)]);
    return report.outcome(isLate && !report.isComplete ? undefined : code, events);
  } finally {
    clearTimeout(timer);
  }
}
