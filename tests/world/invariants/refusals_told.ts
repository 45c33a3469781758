// SPDX-License-Identifier: MIT
/**
 * That the log says why a guest gets no device: an OPEN or a parameter query that the main thread refuses has a line of the stream's
 * between request and answer. An answer that was meant for somebody else has none.
 */
import type { LogRecord } from "@logtape/logtape";
import {
  XEN_EINVAL,
  XEN_EOPNOTSUPP,
  XENSND_OP_HW_PARAM_QUERY,
  XENSND_OP_OPEN,
} from "../../../lib/sndif/mod.ts";
import type { RequestRecord, StreamAccount } from "../guest/account.ts";
import type { Guest } from "../population.ts";
import type { World } from "../world.ts";
import { placeOf } from "./allowed.ts";
import type { Invariant } from "./invariants.ts";

/** What an engine answers by itself: the guest asks for what cannot be. */
const UNTOLD = new Set([-XEN_EINVAL, -XEN_EOPNOTSUPP]);
const JUDGED = new Set([XENSND_OP_OPEN, XENSND_OP_HW_PARAM_QUERY]);
/** µs in which an engine gives back a lent device that is gone. */
const LOSS_MICROS = 1_000_000;
/** Lines that are remembered of a stream. */
const LINES = 200;

export class Refusals {
  /** When daemons have logged a line of a stream, µs, by the stream's name in the log. */
  readonly #lines = new Map<string, number[]>();

  static readonly #all = new WeakMap<World, Refusals>();

  static of(world: World): Refusals {
    let refusals = Refusals.#all.get(world);
    if (refusals === undefined) Refusals.#all.set(world, refusals = new Refusals());
    return refusals;
  }

  logged({ properties: { stream } }: LogRecord, now: number): void {
    if (typeof stream !== "string") return;
    let lines = this.#lines.get(stream);
    if (lines === undefined) this.#lines.set(stream, lines = []);
    lines.push(now);
    if (lines.length > 2 * LINES) lines.splice(0, LINES);
  }

  hasLine(stream: string, from: number, until: number): boolean {
    return this.#lines.get(stream)?.some((time) => from <= time && time <= until) ?? false;
  }
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
  if (answered === undefined || status >= 0 || UNTOLD.has(status) || !JUDGED.has(operation)) return undefined;
  // An engine finds out by itself that the device it was lent to answer queries is gone.
  if (world.host.sound.cards.some((card) => card.hasLostHandles(sent - LOSS_MICROS, answered))) {
    return undefined;
  }
  // After a restore nobody can tell which domain the request was made in.
  if (guest.wasSaved) return undefined;
  const { domid, card, pcm, stream } = placeOf(guest, account);
  const refusals = Refusals.of(world);
  for (const name of [String(domid), ...world.account.namesOf(domid)]) {
    if (refusals.hasLine(`${name}/${card}/${pcm}/${stream}`, sent, answered)) return undefined;
  }
  return `${guest.name}(${domid}) ${account.name}: operation ${operation} is refused with ${status} at ${answered}, ` +
    `and no log says why`;
}
