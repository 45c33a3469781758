// SPDX-License-Identifier: MIT
/** The counters of streams, as every operator is told: what became of each frame, and that no total falls. */
import { COUNTERS } from "../../../lib/bridge/stream_status.ts";
import type { StreamReport } from "../../../lib/control/protocol.ts";
import { frameSums } from "../../frame_sums.ts";
import type { Observation } from "../operator/record.ts";
import type { AccountedCard } from "../toolstack/account.ts";
import type { Invariant } from "./invariants.ts";

type Counts = Readonly<Record<string, unknown>>;

/** Between its opening and its closing the engine still sets up the row. */
const SETTLED = new Set(["closed", "prepared", "running", "paused"]);

/** µs in which the daemon has learned that the toolstack has put another card in the place of one. */
const LOOK_MICROS = 2_000_000;

export class CounterWitness {
  #complaint: string | undefined;
  /** The last report of each stream, by the daemon's process and the stream; of cards of which it is known which card it was. */
  readonly #last = new Map<
    string,
    { readonly counts: Counts; readonly at: number; readonly version: number }
  >();

  /** @param cardOf what the toolstack knows of a card */
  constructor(private readonly cardOf: (domid: number, card: number) => AccountedCard | undefined) {}

  /** What is wrong, and was not said before. */
  take(): string | undefined {
    const complaint = this.#complaint;
    this.#complaint = undefined;
    return complaint;
  }

  readonly sees = ({ report: { pid, streams }, from, to }: Observation): void => {
    for (const stream of streams) {
      this.#complaint ??= sumProblem(stream) ?? this.#fallProblem(pid, stream, from, to);
    }
  };

  #fallProblem(pid: number, stream: StreamReport, from: number, at: number): string | undefined {
    const [cardId] = stream.stream.split("/").slice(-3);
    const card = this.cardOf(stream.domid, Number(cardId));
    // The report may be of the card before, or of the one after, or of one that goes.
    if (card === undefined || card.states.length !== 1) return undefined;
    if (card.versionSince + LOOK_MICROS >= from) return undefined;
    if (card.mayBeOffline || card.isOrphan) return undefined;
    const { version } = card;
    const counts = stream as unknown as Counts;
    const key = `${pid} ${stream.domid} ${stream.stream}`;
    const last = this.#last.get(key);
    // Reports overtake each other on their way: which of the two is the older one is not known.
    if (last !== undefined && last.at > from) return undefined;
    this.#last.set(key, { counts, at, version });
    if (last?.version !== version) return undefined;
    const fallen = COUNTERS.find((name) => Number(counts[name]) < Number(last.counts[name]));
    return fallen && `${stream.stream}: ${fallen} falls from ${last.counts[fallen]} to ${counts[fallen]}`;
  }
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
  check: (world) => world.counters.take(),
};
