// SPDX-License-Identifier: MIT
/** Sessions of one card that play and record at the same time, in one thread: each works until it waits for a period of its PCM. */
import type { GuestPcm } from "./guest_pcm.ts";

/** Longer than any period: a backend without a position for so long has failed. aplay waits 10 s. */
export const STALL_MS = 10_000;

/**
 * A session. It yields its PCM to wait for the wake-up of a period (`snd_pcm_period_elapsed`); the value of the yield says whether there
 * was one within {@link STALL_MS}.
 */
export type Turns = Generator<GuestPcm, void, boolean>;

/** A session that waits. */
interface Waiting {
  readonly turns: Turns;
  readonly pcm: GuestPcm;
  /** The PCM's wake-ups and events when the wait began. */
  readonly periods: number;
  events: number;
  readonly deadline: number;
}

/** Runs all `sessions` to their ends. Their PCMs are streams of one card. If one fails, or the wait does, all end. */
export function runTogether(sessions: readonly Turns[]): void {
  try {
    takeTurns(sessions);
  } finally {
    // A recording's file gets its header.
    for (const turns of sessions) turns.return();
  }
}

function takeTurns(sessions: readonly Turns[]): void {
  const waiting = new Set<Waiting>();
  const go = (turns: Turns, wasWoken: boolean) => {
    const { done, value: pcm } = turns.next(wasWoken);
    if (done) return;
    const { periods, stream: { events } } = pcm;
    waiting.add({ turns, pcm, periods, events, deadline: performance.now() + STALL_MS });
  };
  for (const turns of sessions) go(turns, true);
  while (waiting.size > 0) {
    waitForEvents(waiting);
    for (const session of [...waiting]) {
      const { turns, pcm, periods, deadline } = session;
      const isWoken = pcm.periods !== periods;
      if (isWoken || performance.now() >= deadline) {
        waiting.delete(session);
        go(turns, isWoken);
      } else if (pcm.stream.events !== session.events) {
        session.events = pcm.stream.events;
        pcm.onOtherEvents();
      }
    }
  }
}

/** Waits until one of the sessions may go on, or has events. */
function waitForEvents(waiting: ReadonlySet<Waiting>): void {
  let until = Infinity;
  for (const { pcm, periods, events, deadline } of waiting) {
    // An earlier session's requests may have taken what this one waits for.
    if (pcm.periods !== periods || pcm.stream.events !== events) return;
    until = Math.min(until, deadline);
  }
  const { pcm } = waiting.values().next().value!;
  pcm.stream.waitForEvents(Math.max(0, Math.ceil(until - performance.now())));
}
