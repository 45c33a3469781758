// SPDX-License-Identifier: MIT
/**
 * That no guest delays another. A guest that has claimed little lately has its requests answered within a moment, whatever other
 * guests ask for meanwhile. The slow calls of the engines, on devices, are left out of that, and so is the stream that a daemon takes
 * over, whose own device it opens.
 */
import { DEFAULT_LIMITS, type GuestLimits } from "../../../lib/daemon/policy/guest_limits.ts";
import {
  XENSND_OP_CLOSE,
  XENSND_OP_HW_PARAM_QUERY,
  XENSND_OP_OPEN,
  XENSND_OP_TRIGGER,
} from "../../../lib/sndif/mod.ts";
import type { DaemonRun } from "../daemon.ts";
import type { OpenRecord, RequestRecord, StreamAccount } from "../guest/account.ts";
import { unexcused } from "../guest/checks.ts";
import type { Guest } from "../population.ts";
import { isBusy } from "../script.ts";
import type { World } from "../world.ts";
import { Demand } from "./demand.ts";
import type { Invariant } from "./invariants.ts";

/** µs that an answer may take, besides slow calls. */
const MOST_DELAY = 5000;
/** A guest claims little that has claimed less than half of its budget in the time that a debt may last, µs. */
const [LITTLE, DEBT_MICROS] = [500_000, 2_000_000];
/** µs that a daemon has to take over what came before it. */
const SETTLING_MICROS = 1_000_000;
/** The price of a request at most, beside its share of the requests a second: µs of what the main thread serves, of a TRIGGER, and of
 * signals with nothing behind them, one for two requests. */
const [MAIN_THREAD, TRIGGER, SIGNAL] = [7000, 1000, 1000];
/** Changing a volume costs so many times the octets. */
const VOLUME = 9;

/** What the main thread serves. */
const SLOW = new Set<number>([XENSND_OP_OPEN, XENSND_OP_CLOSE, XENSND_OP_HW_PARAM_QUERY]);
const isSlow = (operation: number) => SLOW.has(operation);

/** Requests that were looked at, for each account. */
const seen = new WeakMap<StreamAccount, number>();

function priceOf({ operation }: RequestRecord, { requests }: GuestLimits): number {
  return 1e6 / requests + SIGNAL +
    (operation === XENSND_OP_TRIGGER ? TRIGGER : isSlow(operation) ? MAIN_THREAD : 0);
}

/** µs that the guest has claimed up to the answer of a request, at most, as far as that may delay the answer. */
function claimed(
  world: World,
  guest: Guest,
  { sent, answered: until = Infinity }: RequestRecord,
  limits: GuestLimits,
): number {
  const from = sent - DEBT_MICROS;
  // A device that takes less than it is given is given the rest once more, and the guest pays for that, too.
  let sum = VOLUME * Demand.of(world).copied(guest.domain, from, until) / limits.moved;
  for (const { requests, direction, opens } of guest.kernel.accounts) {
    // What a microphone gives is moved whether the guest reads or not.
    if (direction === "capture") sum += VOLUME * captured(opens, from, until) / limits.moved;
    for (let i = requests.length - 1; i >= 0; i--) {
      const request = requests[i]!;
      const { sent, answered = Infinity } = request;
      if (answered < from) break;
      if (sent <= until) sum += priceOf(request, limits);
    }
  }
  return sum;
}

/** Octets that a microphone gave from `from` to `until`, at most. */
function captured(opens: readonly OpenRecord[], from: number, until: number): number {
  let sum = 0;
  for (const { request, close, rate, frameBytes } of opens) {
    const micros = Math.min(until, close?.request?.sent ?? until) - Math.max(from, request.sent);
    sum += Math.max(0, micros) * rate * frameBytes / 1e6;
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

/** Whether the stream has had an answer since `since` and before the request at `index`. Until then it may still be taken over. */
function isTakenOver(requests: readonly RequestRecord[], index: number, since: number): boolean {
  const { sent } = requests[index]!;
  for (let before = index - 1; before >= 0; before--) {
    const { answered = Infinity } = requests[before]!;
    if (answered <= sent) return answered >= since;
  }
  return true;
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
    if (delay <= MOST_DELAY || !isTakenOver(requests, index, run.servesSince!)) continue;
    if (claimed(world, guest, request, limits) > LITTLE) continue;
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
    if (run === undefined || isBusy(world.seed)) return;
    for (const guest of world.population.present) {
      for (const account of guest.kernel.accounts) {
        const problem = complaint(world, guest, account, run);
        if (problem !== undefined) return problem;
      }
    }
  },
};
