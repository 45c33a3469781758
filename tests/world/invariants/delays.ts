// SPDX-License-Identifier: MIT
/**
 * That no guest delays another. A guest that has claimed little lately has its requests answered within a moment, whatever other
 * guests ask for meanwhile. The slow calls of the engines, on devices, are left out of that.
 */
import { DEFAULT_LIMITS, type GuestLimits } from "../../../lib/daemon/policy/guest_limits.ts";
import {
  XENSND_OP_CLOSE,
  XENSND_OP_HW_PARAM_QUERY,
  XENSND_OP_OPEN,
  XENSND_OP_READ,
  XENSND_OP_TRIGGER,
  XENSND_OP_WRITE,
} from "../../../lib/sndif/mod.ts";
import type { DaemonRun } from "../daemon.ts";
import type { RequestRecord, StreamAccount } from "../guest/account.ts";
import { unexcused } from "../guest/checks.ts";
import type { Guest } from "../population.ts";
import type { World } from "../world.ts";
import type { Invariant } from "./invariants.ts";

/** µs that an answer may take, besides slow calls. */
const MOST_DELAY = 8000;
/** A guest claims little that has claimed less than half of its budget in the time that a debt may last, µs. */
const [LITTLE, DEBT_MICROS] = [500_000, 2_000_000];
/** µs that a daemon has to take over what came before it. */
const SETTLING_MICROS = 1_000_000;
/** The price of a request at most, beside its share of the requests a second: µs of what the main thread serves, and of a signal. */
const [MAIN_THREAD, TRIGGER, SIGNAL] = [7000, 1000, 2000];
/** Changing a volume costs so many times the octets. */
const VOLUME = 9;

/** What the main thread serves. */
const SLOW = new Set<number>([XENSND_OP_OPEN, XENSND_OP_CLOSE, XENSND_OP_HW_PARAM_QUERY]);
const isSlow = (operation: number) => SLOW.has(operation);

/** Requests that were looked at, for each account. */
const seen = new WeakMap<StreamAccount, number>();

function priceOf({ operation, length }: RequestRecord, { requests, moved }: GuestLimits): number {
  const price = 1e6 / requests + SIGNAL;
  if (operation === XENSND_OP_READ || operation === XENSND_OP_WRITE) return price + VOLUME * length / moved;
  return price + (operation === XENSND_OP_TRIGGER ? TRIGGER : isSlow(operation) ? MAIN_THREAD : 0);
}

/** µs that the guest has claimed in the time before `until`, at most. */
function claimed(guest: Guest, until: number, limits: GuestLimits): number {
  let sum = 0;
  for (const { requests } of guest.kernel.accounts) {
    for (let i = requests.length - 1; i >= 0; i--) {
      const request = requests[i]!;
      const { sent, answered = Infinity } = request;
      if (answered < until - DEBT_MICROS) break;
      if (sent <= until) sum += priceOf(request, limits);
    }
  }
  return sum;
}

function delayOf(
  world: World,
  guest: Guest,
  { process }: DaemonRun,
  { sent, answered }: RequestRecord,
): number {
  const slow = process.threads.flatMap(({ slowTurns }) => slowTurns);
  return unexcused(sent, answered!, [...slow, ...guest.domain.pauses, ...world.excuses.spans]);
}

function complaint(world: World, guest: Guest, account: StreamAccount, run: DaemonRun): string | undefined {
  const { requests, forgotten } = account;
  const limits = run.options.guestLimits ?? DEFAULT_LIMITS;
  const { connectedAt = Infinity } = world.connections.of(guest.domain, account.ringRef);
  const since = Math.max(connectedAt, run.servesSince!) + SETTLING_MICROS;
  let index = Math.max(0, (seen.get(account) ?? 0) - forgotten.requests);
  for (; index < requests.length; index++) {
    const request = requests[index]!;
    const { outcome, operation, sent } = request;
    if (outcome === "waits") break;
    if (outcome !== "answered" || isSlow(operation) || sent < since) continue;
    const delay = delayOf(world, guest, run, request);
    if (delay <= MOST_DELAY || claimed(guest, request.answered!, limits) > LITTLE) continue;
    seen.set(account, forgotten.requests + index + 1);
    return `${guest.name}(${guest.domain.domid}) ${account.name} waits ${delay} µs for the answer to operation ${operation}, ` +
      `sent at ${sent}, and has claimed little of its budget`;
  }
  seen.set(account, forgotten.requests + index);
}

export const guestsApart: Invariant = {
  name: "guestsApart",
  check(world) {
    const run = world.daemons.serving();
    if (run === undefined) return;
    for (const guest of world.population.present) {
      for (const account of guest.kernel.accounts) {
        const problem = complaint(world, guest, account, run);
        if (problem !== undefined) return problem;
      }
    }
  },
};
