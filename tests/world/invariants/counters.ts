// SPDX-License-Identifier: MIT
/** The counters of streams, as every operator is told: what became of each frame, and that no total falls. */
import { COUNTERS } from "../../../lib/bridge/stream_status.ts";
import type { Direction } from "../../../lib/pcm/pcm.ts";
import type { StreamReport } from "../../../lib/control/protocol.ts";
import type { StreamAccount } from "../guest/account.ts";
import { frameSums } from "../../frame_sums.ts";
import type { Observation } from "../operator/record.ts";
import type { AccountedCard } from "../toolstack/account.ts";
import type { StreamPlace } from "../toolstack/policy_history.ts";
import type { Invariant } from "./invariants.ts";
import { Blame, type Blamed } from "./blame.ts";
import type { DryMoments } from "./dry_moments.ts";

/** µs after which a device has played what its pointer has passed. */
const PLAYED_MICROS = 2_000_000;

/** µs in which the daemon finds that a device is there again. */
const FIND_MICROS = 6_000_000;

type Counts = Readonly<Record<string, unknown>>;

/** Between its opening and its closing the engine still sets up the row. */
const SETTLED = new Set(["closed", "prepared", "running", "paused"]);

/** µs in which the daemon has learned that the toolstack has put another card in the place of one. */
const LOOK_MICROS = 2_000_000;

/** What the witness knows besides. */
export interface WitnessWorld {
  /** µs. */
  now(): number;
  /** What the toolstack knows of a card. */
  cardOf(domid: number, card: number): AccountedCard | undefined;
  /** What an honest guest knows of a stream. */
  streamOf(place: StreamPlace): Blamed | undefined;
  /** How often something has happened to the host and its devices. */
  disturbances(): number;
  /** How many frames of the stream devices have played; undefined if nobody can know. */
  heardOf(account: StreamAccount): number | undefined;
  /** Whether a guest may use up its budget: then it is late, whenever it asks. */
  hasTightBudgets(): boolean;
  /** Whether the stream's device was hardware for as long as there is its card. */
  isOnHardware(place: StreamPlace): boolean;
  /** When devices ran dry. */
  dryMoments(): DryMoments;
  /** When the daemon was last given few descriptors, for some seconds, µs. */
  descriptorsLackedAt(): number;
  /** Since when anybody could open a device, and nothing has happened to it, µs; undefined: nobody can. */
  freeSince(device: string, direction: Direction): number | undefined;
  /** Since when the device has not stood still, µs; in the future while it stands, undefined if there is no such device. */
  movesSince(device: string, direction: Direction): number | undefined;
}

interface Report {
  readonly counts: Counts;
  readonly at: number;
  readonly version: number;
  readonly disturbances: number;
}

export class CounterWitness {
  #complaint: string | undefined;
  /** The last report of each stream, by the daemon's process and the stream; of cards of which it is known which card it was. */
  readonly #last = new Map<string, Report>();

  /** By the clock, and by the devices' dry moments. */
  readonly #blames = new WeakMap<StreamAccount, { readonly clock: Blame; readonly dry: Blame }>();
  /** How many frames of a stream are called heard, since when. */
  readonly #claims = new Map<
    StreamAccount,
    { readonly stream: string; readonly frames: number; readonly at: number }
  >();
  /** The losses and stalls of each stream that is without its device, and since when the reports have that many. */
  readonly #lost = new Map<string, { readonly times: number; readonly since: number }>();

  constructor(private readonly world: WitnessWorld) {}

  /** What is wrong, and was not said before. */
  take(): string | undefined {
    const complaint = this.#complaint ?? this.#belatedComplaint();
    this.#complaint = undefined;
    return complaint;
  }

  /** What is wrong with frames that were called heard: a device of plugins has taken them before it plays them. */
  #belatedComplaint(): string | undefined {
    for (const [account, { stream, frames, at }] of this.#claims) {
      if (at + PLAYED_MICROS > this.world.now()) continue;
      this.#claims.delete(account);
      const heard = this.world.heardOf(account);
      if (heard !== undefined && heard < frames) {
        return `${stream}: ${frames} frames are called heard, and devices have played ${heard}`;
      }
    }
  }

  readonly sees = ({ report: { pid, streams }, from, to }: Observation): void => {
    for (const stream of streams) {
      this.#complaint ??= sumProblem(stream) ?? this.#problem(pid, stream, from, to);
    }
  };

  #problem(pid: number, stream: StreamReport, from: number, at: number): string | undefined {
    const place = placeOf(stream);
    const card = this.world.cardOf(place.domid, place.card);
    // The report may be of the card before, or of the one after, or of one that goes.
    if (card === undefined || card.states.length !== 1) return undefined;
    if (card.versionSince + LOOK_MICROS >= from) return undefined;
    if (card.mayBeOffline || card.isOrphan) return undefined;
    const { version } = card;
    const report = {
      counts: stream as unknown as Counts,
      at,
      version,
      disturbances: this.world.disturbances(),
    };
    const key = `${pid} ${stream.domid} ${stream.stream}`;
    const last = this.#last.get(key);
    // Reports overtake each other on their way: which of the two is the older one is not known.
    if (last !== undefined && last.at > from) return undefined;
    this.#last.set(key, report);
    const guests = this.world.streamOf(place);
    if (guests !== undefined && !this.#claims.has(guests.account)) {
      const frames = Number(report.counts.heardFrames);
      this.#claims.set(guests.account, { stream: stream.stream, frames, at });
    }
    const problem = (guests &&
      (excessProblem(stream, guests.account) ??
        this.#blameProblem(stream, place, guests))) ??
      this.#lossProblem(key, stream, from) ??
      (last?.version === version ? changeProblem(last, report) ?? dryProblem(last, report) : undefined);
    return problem && `${stream.stream}: ${problem}`;
  }

  /** What is wrong with the xruns of which the daemon says that the guest has caused them. */
  #blameProblem(stream: StreamReport, place: StreamPlace, guests: Blamed): string | undefined {
    if (this.world.hasTightBudgets()) return undefined;
    let blames = this.#blames.get(guests.account);
    if (blames === undefined) {
      blames = { clock: new Blame(guests), dry: new Blame(guests, this.world.dryMoments()) };
      this.#blames.set(guests.account, blames);
    }
    const { type, xruns, hostXruns, standInFrames, deniedFrames } = stream;
    const blamed = xruns - hostXruns;
    const isOnHardware = type === "playback" && standInFrames + deniedFrames === 0 &&
      this.world.isOnHardware(place);
    const most = blames[isOnHardware ? "dry" : "clock"].most(blamed);
    return blamed <= most
      ? undefined
      : `${blamed} xruns are called the guest's, and it was late ${most} times at most`;
  }

  /** What is wrong with a stream that does without its device, although nobody else has had that for long. */
  #lossProblem(
    key: string,
    { cardLost, cardStalled, device, type, losses, stalls }:
      & StreamReport
      & Partial<Record<"losses" | "stalls", number>>,
    from: number,
  ): string | undefined {
    const times = (losses ?? 0) + (stalls ?? 0);
    if (cardLost !== true || !(cardStalled ? stalls : losses)) return undefined;
    let lost = this.#lost.get(key);
    if (lost?.times !== times) this.#lost.set(key, lost = { times, since: from });
    const since = cardStalled ? this.world.movesSince(device, type) : this.world.freeSince(device, type);
    if (since === undefined || cardStalled && this.world.hasTightBudgets()) return undefined;
    if (Math.max(since, lost.since, this.world.descriptorsLackedAt()) + FIND_MICROS > from) return undefined;
    return `${device} ${cardStalled ? "moves" : "is there again"} since ${since}, and is not used`;
  }
}

function placeOf({ stream, domid }: StreamReport): StreamPlace {
  const [card = NaN, pcm = NaN, number = NaN] = stream.split("/").slice(-3).map(Number);
  return { domid, card, pcm, stream: number };
}

/** What is wrong with a report that comes after another one, of the same card. */
function changeProblem(last: Report, { counts, disturbances }: Report): string | undefined {
  const more = (name: string) => Number(counts[name]) - Number(last.counts[name]);
  const fallen = COUNTERS.find((name) => more(name) < 0);
  if (fallen !== undefined) return `${fallen} falls from ${last.counts[fallen]} to ${counts[fallen]}`;
  // A guest that does nothing on a device to which nothing happens has one xrun at most.
  const isQuiet = last.disturbances === disturbances &&
    ["connections", "requests", "losses"].every((name) => more(name) === 0);
  if (isQuiet && more("xruns") > 1) {
    return `${more("xruns")} xruns, and the guest has asked for nothing meanwhile`;
  }
}

/** What is wrong with counters that say more than the guest has done. */
function excessProblem(stream: StreamReport, account: StreamAccount): string | undefined {
  const { requests, forgotten, nextFrame, direction } = account;
  const sent = requests.length + forgotten.requests;
  const counts = stream as unknown as Counts;
  if (Number(counts.requests) > sent) return `${counts.requests} requests, and the guest has sent ${sent}`;
  // Frames that the guest has jumped over count with those that it writes behind them. Whether a WRITE that waits has jumped is known
  // once it is over.
  const isPlain = direction === "playback" && requests.at(-1)?.outcome !== "waits" && !account.hasJumpedOn &&
    !account.hasRewound;
  if (isPlain && Number(counts.transferredFrames) >= nextFrame) {
    return `${counts.transferredFrames} frames, and the guest has written ${nextFrame - 1}`;
  }
}

/**
 * What is wrong with a device that is dry for longer than the grace of an underrun, and counts none. The grace begins when the engine has
 * seen that the device is dry, as in the last report: a guest that has used up its budget is not looked at for a while.
 */
function dryProblem({ counts: last }: Report, { counts }: Report): string | undefined {
  const isPlaying = ({ type, state, hold }: Counts) =>
    type === "playback" && state === "running" && hold === "none";
  if (!isPlaying(last) || !isPlaying(counts) || counts.xruns !== 0) return undefined;
  const of = (name: string) => Number(counts[name]);
  const isSame = ["connections", "requests", "starts", "guestFrames"].every((name) =>
    last[name] === counts[name]
  );
  const wasDry = Number(last.positionFrames) > of("guestFrames");
  const dry = of("positionFrames") - Number(last.positionFrames);
  if (!isSame || !wasDry || dry <= 2 * Math.max(2 * of("periodFrames"), of("rate") / 2)) return undefined;
  return `the device has had no samples for ${dry} frames, and no xrun is counted`;
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
