// SPDX-License-Identifier: MIT
/** That an operator who waits for a stream hears of it when the stream gets there, by the guest's own account. */
import type { ControlRequest } from "../../../lib/control/protocol.ts";
import type { OpenRecord, StreamAccount } from "../guest/account.ts";
import { type Span, unexcused } from "../guest/checks.ts";
import type { Asked } from "../operator/record.ts";
import type { Guest } from "../population.ts";
import type { World } from "../world.ts";
import { placeOf } from "./allowed.ts";

/** µs in which a daemon has told whoever waits. A trigger waits for its device besides, for two seconds at most. */
const TELL_MICROS = 4_000_000;

/**
 * The times in which the request would have been done at once; undefined: nobody can tell. A daemon knows nothing of what its predecessor
 * had open: `apart` has the times without a connection.
 */
function timesFor(
  request: ControlRequest,
  { opens, segments }: StreamAccount,
  apart: readonly Span[],
): Span[] | undefined {
  const lostAt = (open: OpenRecord | undefined) =>
    open === undefined ? 0 : apart.find(({ from }) => from > open.request.sent)?.from ?? Infinity;
  if (request.command === "wait" && request.goal === "open") {
    return opens.filter(({ request }) => request.status === 0).map((open) => ({
      from: open.request.over!,
      to: Math.min(lostAt(open), open.close === undefined ? Infinity : open.close.request?.sent ?? 0),
    }));
  }
  if (request.command !== "trigger") return undefined;
  return segments.filter(({ starts }) => starts.length > 0).map(({ starts, end, open }) => ({
    from: starts[0]!,
    to: Math.min(lostAt(opens.find(({ number }) => number === open)), end?.time ?? Infinity),
  }));
}

/** The guest's stream that an operator calls `name`, if its domain has never had another name, and had that before `time`. */
function streamOf(
  world: World,
  name: string,
  time: number,
): { guest: Guest; account: StreamAccount } | undefined {
  for (const guest of world.population.present) {
    const names = world.account.domain(guest.domain.domid)?.names ?? [];
    if (names.length !== 1 || names[0]!.since > time || guest.wasSaved) continue;
    for (const account of guest.kernel.accounts) {
      const { card, pcm, stream } = placeOf(guest, account);
      if (`${names[0]!.name}/${card}/${pcm}/${stream}` === name) return { guest, account };
    }
  }
}

/** What is wrong with how long a request that has ended took; undefined: nothing. */
export function waitProblem(
  world: World,
  { request, outcome, sentAt, endedAt, isRead }: Asked,
): string | undefined {
  if (typeof request === "string" || request.command !== "wait" && request.command !== "trigger") {
    return undefined;
  }
  const isTimedOut = outcome?.kind === "refused" && / \(waited [\d.]+ s\)$/.test(outcome.error);
  if (!isRead || outcome?.kind !== "done" && !isTimedOut) return undefined;
  const found = streamOf(world, request.stream, sentAt);
  if (found === undefined) return undefined;
  const apart = world.connections.apart(found.guest.domain, found.account.ringRef);
  const excuses = [...world.excuses.spans, ...apart];
  for (const { from, to } of timesFor(request, found.account, apart) ?? []) {
    const [since, until] = [Math.max(from, sentAt), Math.min(to, endedAt)];
    if (since >= until || unexcused(since, until, excuses) <= TELL_MICROS) continue;
    return `${
      JSON.stringify(request)
    }, sent at ${sentAt}, could be done from ${since} on, and ended at ${endedAt}: ${
      outcome.kind === "refused" ? outcome.error : outcome.kind
    }`;
  }
}
