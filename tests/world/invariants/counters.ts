// SPDX-License-Identifier: MIT
/** The counters of streams, as every operator is told: what became of each frame, and that no total falls. */
import { COUNTERS } from "../../../lib/bridge/stream_status.ts";
import type { StreamReport } from "../../../lib/control/protocol.ts";
import { frameSums } from "../../frame_sums.ts";
import type { Observation } from "../operator/record.ts";
import type { Invariant } from "./invariants.ts";

type Counts = Readonly<Record<string, unknown>>;

/** Between its opening and its closing the engine still sets up the row. */
const SETTLED = new Set(["closed", "prepared", "running", "paused"]);

export class CounterWitness {
  #complaint: string | undefined;
  /** The last report of each stream, by the daemon's process and the stream. */
  readonly #last = new Map<string, { readonly counts: Counts; readonly at: number }>();

  /** What is wrong, and was not said before. */
  take(): string | undefined {
    const complaint = this.#complaint;
    this.#complaint = undefined;
    return complaint;
  }

  readonly sees = ({ report: { pid, streams }, to }: Observation): void => {
    for (const stream of streams) {
      this.#complaint ??= sumProblem(stream) ??
        this.#fallProblem(`${pid} ${stream.domid} ${stream.stream}`, stream, to);
    }
  };

  #fallProblem(key: string, stream: StreamReport, at: number): string | undefined {
    const counts = stream as unknown as Counts;
    const last = this.#last.get(key);
    // Reports overtake each other on their way.
    if (last !== undefined && last.at > at) return undefined;
    this.#last.set(key, { counts, at });
    if (last === undefined || isAnotherCard(last.counts, counts)) return undefined;
    const fallen = COUNTERS.find((name) => Number(counts[name]) < Number(last.counts[name]));
    return fallen && `${stream.stream}: ${fallen} falls from ${last.counts[fallen]} to ${counts[fallen]}`;
  }
}

/** Whether the stream is one of another card, or of another direction, that has the same name. */
function isAnotherCard(before: Counts, after: Counts): boolean {
  return before.type !== after.type || Number(after.connections) < Number(before.connections);
}

function sumProblem(stream: StreamReport): string | undefined {
  const counts = stream as unknown as Counts;
  const { state, type } = stream;
  if (!SETTLED.has(state)) return undefined;
  const of = (name: string) => Number(counts[name] ?? 0);
  const wrong = frameSums(type, of, state !== "closed").find(({ left, right }) => left !== right);
  return wrong &&
    `${stream.stream} is ${state}, and the sum "${wrong.name}" does not close: ${wrong.left}, ${wrong.right}`;
}

export const framesAccounted: Invariant = {
  name: "framesAccounted",
  sentence:
    "Each frame that a guest has written or read is heard, or stands in a counter with its cause, and silence likewise; " +
    "no total falls while its card exists.",
  check: (world) => world.counters.take(),
};
