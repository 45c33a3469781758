// SPDX-License-Identifier: MIT
/**
 * No stream has more than it was allowed, and is heard where it was allowed. What is allowed follows from what toolstacks have made,
 * from the file, and from the daemon's options: `toolstack/policy_history.ts` asks the daemon nothing.
 */
import { mayWait } from "../../../lib/pcm/device_name.ts";
import { FORMATS } from "../../../lib/sndif/mod.ts";
import type { OpenRecord, StreamAccount } from "../guest/account.ts";
import type { Guest } from "../population.ts";
import type { HostPcm } from "../sound/host_pcm.ts";
import { deviceProblem, openProblem, type StreamPlace } from "../toolstack/policy_history.ts";
import type { World } from "../world.ts";
import type { Invariant } from "./invariants.ts";

/** µs that a denied stream may be heard from the moment of the decision on: what the device has in its buffer. */
const DENIAL_MICROS = 300_000;

/** µs after which a daemon that makes no call has noticed that XenStore has hung up, and has looked at all cards. */
const HANG_UP_MICROS = 5_000_000;

/** µs after which a daemon goes by what a toolstack has written: it looks 20 ms after the watch's event. */
const LOOK_MICROS = 1_000_000;

/** Fewer frames in a row may be any noise: a stream whose volume is changed has numbers by chance. */
const LEAST_FRAMES = 16;

/** The place of a stream, whose account is called `device/vsnd/CARD PCM/STREAM`. */
export function placeOf(guest: Guest, { name }: StreamAccount): StreamPlace {
  const [, card, pcm, stream] = /(\d+) (\d+)\/(\d+)/.exec(name)!.map(Number);
  return { domid: guest.domain.domid, card: card!, pcm: pcm!, stream: stream! };
}

/** The OPENs that were looked at, and the domain's number, with the time since which that is its number, for each stream. */
const seen = new WeakMap<StreamAccount, { opens: number; domid: number; since: number }>();

export const withinBounds: Invariant = {
  name: "withinBounds",
  check(world) {
    for (const guest of world.population.all) {
      if (!guest.isHonest) continue;
      for (const account of guest.kernel.accounts) {
        const problem = newOpensProblem(world, guest, account);
        if (problem !== undefined) return problem;
      }
    }
  },
};

function newOpensProblem(world: World, guest: Guest, account: StreamAccount): string | undefined {
  const { domid } = guest.domain;
  const before = seen.get(account) ?? { opens: 0, domid, since: 0 };
  const since = before.domid === domid ? before.since : world.now;
  seen.set(account, { opens: account.opens.length, domid, since });
  for (const open of account.opens.slice(before.opens)) {
    // After a restore nobody can tell which domain an OPEN was made in. A driver takes the late answer to one OPEN for that to another.
    if (open.request.sent < since || open.request.status !== 0) continue;
    const from = connectingSince(world, guest, account, open.request.sent);
    const policies = world.history.during(placeOf(guest, account), from - LOOK_MICROS, endOf(open));
    const problem = openProblem(
      {
        rate: open.rate,
        format: FORMATS[open.format]!.name,
        channels: open.channels,
        bufferBytes: open.bufferFrames * open.frameBytes,
      },
      policies,
    );
    if (problem !== undefined) return `${guest.name}(${domid}) ${account.name}: ${problem}`;
  }
}

/**
 * The last time before `time` at which the stream was not connected, and its card was there: a frontend keeps the bounds with which it
 * has connected.
 */
function connectingSince(world: World, guest: Guest, account: StreamAccount, time: number): number {
  const apart = world.connections.apart(guest.domain, account.ringRef).findLast(({ from }) => from <= time);
  return Math.min(time, Math.max(apart?.from ?? 0, world.history.madeAt(placeOf(guest, account), time)));
}

const endOf = ({ request }: OpenRecord) => request.answered ?? request.sent;

/** What is wrong with `frames` frames of a guest's stream that `pcm` plays at the times `from` to `until`; undefined: nothing. */
export function heardProblem(
  world: World,
  guest: Guest,
  account: StreamAccount,
  pcm: HostPcm,
  frames: number,
  from: number,
  until: number,
): string | undefined {
  if (frames < LEAST_FRAMES) return undefined;
  const place = placeOf(guest, account);
  const open = account.opens.findLast(({ request }) => request.sent <= from);
  const known = seen.get(account);
  if (open === undefined || known?.domid !== place.domid || open.request.sent < known.since) return undefined;
  const { history } = world;
  const hangUp = world.host.xen.xenstored.lastHangUpOn(pcm.process);
  /** `time`; without XenStore, the last time at which the daemon could learn anything. */
  const knowing = (time: number) => hangUp + HANG_UP_MICROS > time ? Math.min(time, hangUp) : time;
  let devices = history.during(place, knowing(open.request.sent) - LOOK_MICROS, until);
  // A device that may wait needs an engine of the stream's own, which a stream gets as it connects: it keeps its device until then.
  if (devices.some(({ device }) => mayWait(device))) {
    devices = history.during(place, connectingSince(world, guest, account, open.request.sent), until);
  }
  const lastHeard = Math.min(world.excuses.before(from, DENIAL_MICROS, "no processor"), knowing(from));
  const lately = history.during(place, lastHeard, until);
  const problem = deviceProblem(pcm.name, devices, lately);
  return problem && `${guest.name}(${place.domid}) ${account.name} is heard on ${pcm.label}: ${problem}`;
}
