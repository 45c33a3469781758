// SPDX-License-Identifier: MIT
/**
 * That the log says why a guest gets no device: an OPEN or a parameter query that the main thread refuses has a line of the stream's
 * between request and answer. An answer that was meant for somebody else has none. A READ or WRITE is refused with EIO if the stream is
 * not open: then the log says why the daemon has not gone on with what the guest had open.
 */
import type { LogRecord } from "@logtape/logtape";
import {
  XEN_EINVAL,
  XEN_EIO,
  XEN_EOPNOTSUPP,
  XENSND_OP_HW_PARAM_QUERY,
  XENSND_OP_OPEN,
  XENSND_OP_READ,
  XENSND_OP_WRITE,
} from "../../../lib/sndif/mod.ts";
import type { DaemonRun } from "../daemon.ts";
import type { RequestRecord, StreamAccount } from "../guest/account.ts";
import type { Guest } from "../population.ts";
import type { World } from "../world.ts";
import { placeOf } from "./allowed.ts";
import type { Invariant } from "./invariants.ts";

/** What an engine answers by itself: the guest asks for what cannot be. */
const UNTOLD = new Set([-XEN_EINVAL, -XEN_EOPNOTSUPP]);
const ANEW = /has to open it anew/;
const MOVING = new Set([XENSND_OP_READ, XENSND_OP_WRITE]);
const JUDGED = new Set([XENSND_OP_OPEN, XENSND_OP_HW_PARAM_QUERY]);
/** µs in which an engine gives back a lent device that is gone. */
const LOSS_MICROS = 1_000_000;
/** µs in which a daemon takes over what is open. */
const TAKING_OVER_MICROS = 100_000;
/** Lines that are remembered of a stream. */
const LINES = 200;

export class Refusals {
  /** When daemons have logged a line of a stream, µs, by the stream's name in the log. */
  readonly #lines = new Map<string, number[]>();
  /** When a daemon last said of a stream that it does not go on with what the guest has open, µs. */
  readonly #lastAnew = new Map<string, number>();
  /** When a daemon last said that it cannot keep streams for the next one, µs. */
  #lastUnkept = -Infinity;

  static readonly #all = new WeakMap<World, Refusals>();

  static of(world: World): Refusals {
    let refusals = Refusals.#all.get(world);
    if (refusals === undefined) Refusals.#all.set(world, refusals = new Refusals());
    return refusals;
  }

  logged({ category, properties: { stream }, rawMessage }: LogRecord, now: number): void {
    if (category.at(-1) === "kept") this.#lastUnkept = now;
    if (typeof stream !== "string") return;
    if (ANEW.test(String(rawMessage))) this.#lastAnew.set(stream, now);
    let lines = this.#lines.get(stream);
    if (lines === undefined) this.#lines.set(stream, lines = []);
    lines.push(now);
    if (lines.length > 2 * LINES) lines.splice(0, LINES);
  }

  /** Whether daemons have said why they do not go on with what the guest had open at the time `time`. */
  wasAnew(world: World, guest: Guest, account: StreamAccount, time: number): boolean {
    const open = account.opens.findLast(({ request: { sent } }) => sent <= time);
    if (open === undefined) return false;
    // What cannot be kept is said once, by the daemon that served then.
    const { sent } = open.request;
    const began = world.daemons.runs.findLast(({ servesSince = Infinity }) => servesSince <= sent)?.began ??
      0;
    return this.#lastUnkept >= began || world.daemons.runs.some((run) => hasDiedSoon(run, sent)) ||
      namesOf(world, guest, account).some((name) => (this.#lastAnew.get(name) ?? -Infinity) >= sent);
  }

  hasLine(stream: string, from: number, until: number): boolean {
    return this.#lines.get(stream)?.some((time) => from <= time && time <= until) ?? false;
  }
}

/** Whether the daemon came after `since`, and died before it could say of all streams why it does not go on with them. */
function hasDiedSoon({ began, servesSince, ending, endedAt = Infinity }: DaemonRun, since: number): boolean {
  return began > since && ending === "killed" && endedAt - (servesSince ?? endedAt) < TAKING_OVER_MICROS;
}

/** How many requests of each stream were looked at. */
const seen = new WeakMap<StreamAccount, number>();

export const refusalsTold: Invariant = {
  name: "refusalsTold",
  check(world) {
    for (const guest of world.population.all) {
      if (!guest.isHonest) continue;
      for (const account of guest.kernel.accounts) {
        const { requests, forgotten } = account;
        let index = Math.max(0, (seen.get(account) ?? 0) - forgotten.requests);
        for (; index < requests.length && requests[index]!.outcome !== "waits"; index++) {
          const problem = refusalProblem(world, guest, account, requests[index]!);
          if (problem !== undefined) return problem;
        }
        seen.set(account, forgotten.requests + index);
      }
    }
  },
};

function refusalProblem(
  world: World,
  guest: Guest,
  account: StreamAccount,
  { operation, status = 0, sent, answered }: RequestRecord,
): string | undefined {
  if (answered === undefined || status >= 0) return undefined;
  const isClosed = MOVING.has(operation) && status === -XEN_EIO;
  if (!isClosed && (UNTOLD.has(status) || !JUDGED.has(operation))) return undefined;
  // An engine finds out by itself that the device it was lent to answer queries is gone.
  if (world.host.sound.cards.some((card) => card.hasLostHandles(sent - LOSS_MICROS, answered))) {
    return undefined;
  }
  // After a restore nobody can tell which domain the request was made in.
  if (guest.wasSaved) return undefined;
  const { domid } = guest.domain;
  const refusals = Refusals.of(world);
  if (isClosed && refusals.wasAnew(world, guest, account, sent)) return undefined;
  if (namesOf(world, guest, account).some((name) => refusals.hasLine(name, sent, answered))) return undefined;
  return `${guest.name}(${domid}) ${account.name}: operation ${operation} is refused with ${status} at ${answered}, ` +
    `and no log says why`;
}

/** The names by which the log may call the stream. */
function namesOf(world: World, guest: Guest, account: StreamAccount): string[] {
  const { domid, card, pcm, stream } = placeOf(guest, account);
  return [String(domid), ...world.account.namesOf(domid)].map((name) => `${name}/${card}/${pcm}/${stream}`);
}
