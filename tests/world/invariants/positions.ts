// SPDX-License-Identifier: MIT
/** Whether the sound of a guest that wants some goes on: the guest is told positions, one after the other. */
import { XENSND_OP_TRIGGER } from "../../../lib/sndif/mod.ts";
import { placeInCard } from "../../../lib/stream/stream_name.ts";
import { unexcused } from "../guest/checks.ts";
import type { XenStream } from "../guest/stream_ops.ts";
import type { Guest } from "../population.ts";
import { STATE } from "../sound/host_pcm.ts";
import type { World } from "../world.ts";
import { placeOf } from "./allowed.ts";
import { Refusals } from "./refusals_told.ts";
import { hasTightBudgets } from "./limits.ts";
import type { Invariant } from "./invariants.ts";

/** µs without a new position, beside some periods: devices come and go, and are slow. */
const STILL_MICROS = 3_000_000;
/** The same, if budgets are tight: a guest that has used up its budget rests. */
const RESTING_MICROS = 8_000_000;
const STILL_PERIODS = 4;

/** Whether the device has something to do: samples to play, or room for what it records. */
function hasWork({ substream }: XenStream): boolean {
  if (!substream.isRunning) return false;
  return substream.isPlayback
    ? substream.applPtr > substream.hwPtr
    : substream.avail < substream.bufferFrames;
}

/** µs in which a daemon opens once more what its predecessor had open. Some devices are slow. */
const OPENING_MICROS = 2_000_000;

function standstill(world: World, guest: Guest, stream: XenStream): string | undefined {
  const { account } = stream;
  const { open, segment } = account;
  const started = segment?.starts.at(-1);
  if (!hasWork(stream) || open === undefined || started === undefined) return undefined;
  // The daemon may have carried out a trigger whose answer its guest has yet to see, as one that is being suspended.
  const last = account.requests.at(-1);
  if (last?.operation === XENSND_OP_TRIGGER && last.over === undefined) return undefined;
  const { apart, connectedAt } = world.connections.of(guest.domain, account.ringRef);
  if (connectedAt === undefined) return undefined;
  const isResumed = open.request.sent < connectedAt;
  if (isResumed && Refusals.of(world).wasAnew(world, guest, account, world.now)) return undefined;
  const { domid, card, pcm, stream: number } = placeOf(guest, account);
  const steady = world.settings.steady(domid, card, placeInCard(pcm, number));
  if (steady === undefined || steady.settings.hold !== "none") return undefined;
  const event = account.events.findLast(({ isAccepted }) => isAccepted)?.time ?? 0;
  const written = segment!.writes.at(-1)?.request.over ?? 0;
  const from = Math.max(started, event, written, steady.since, isResumed ? connectedAt + OPENING_MICROS : 0);
  const still = unexcused(from, world.now, [...world.excuses.spans, ...guest.domain.pauses, ...apart]);
  const most = hasTightBudgets(world) ? RESTING_MICROS : STILL_MICROS;
  if (still <= most + STILL_PERIODS * open.periodFrames / open.rate * 1e6) return undefined;
  return `${guest.name}(${domid}) ${account.name} runs, and is told of no position for ${still} µs`;
}

/** A device that a fault has stopped, and that a daemon leaves so. */
function stoppedDevice(world: World): string | undefined {
  if (hasTightBudgets(world)) return undefined;
  for (const pcm of world.host.sound.open) {
    if (pcm.state !== STATE.XRUN || pcm.stoppedAt === -Infinity) continue;
    const still = unexcused(pcm.stoppedAt, world.now, world.excuses.spans);
    if (still > STILL_MICROS) return `${pcm.label} has stopped, and is left so for ${still} µs`;
  }
}

export const soundGoesOn: Invariant = {
  name: "soundGoesOn",
  check(world) {
    const stopped = stoppedDevice(world);
    if (stopped !== undefined) return stopped;
    for (const guest of world.population.present) {
      if (guest.kernel.hasOopsed) continue;
      for (const stream of guest.kernel.streams) {
        const problem = standstill(world, guest, stream);
        if (problem !== undefined) return problem;
      }
    }
  },
};
