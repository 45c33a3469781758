// SPDX-License-Identifier: MIT
/**
 * Calm worlds: nobody touches the daemon, its settings and XenStore, and the host's devices do nothing that costs a frame. An honest
 * guest is disturbed there by its own programs, or by other guests, many of which are hostile. In some of these worlds the daemon's
 * threads have no processor now and then: there, frames may be missing, and those that are there are in their places. In others all
 * programs are plain ones: each frame of theirs that a device plays is counted.
 */
import type { ServeOptions } from "../../lib/service/serve.ts";
import { createGuest } from "./events/toolstack_events.ts";
import type { Random } from "./machine/random.ts";
import { isPlain } from "./script.ts";
import type { World } from "./world.ts";

const DEVICES = ["hw:0", "hw:1", "plughw:0", "pulse"];
const CAPTURE_DEVICES = ["hw:0", "plughw:0", "pulse"];

/** One guest of so many is hostile. */
const ONE_HOSTILE_IN = 2;

/** What a calm world begins with: a daemon with default limits, devices that mix, and guests. */
export function beginCalm(world: World, random: Random): void {
  const { administrator, daemons, host, population } = world;
  const options: ServeOptions = {
    defaultDevice: random.pick(DEVICES),
    defaultCaptureDevice: random.pick(CAPTURE_DEVICES),
  };
  administrator.options = options;
  administrator.isSupervised = false;
  population.oneHostileIn = ONE_HOSTILE_IN;
  population.isPlain = isPlain(world.seed);
  // No stream finds its device busy.
  for (const end of host.sound.cards.flatMap(({ ends }) => ends)) end.substreams = Infinity;
  daemons.start(options);
  for (let guests = random.between(2, 3); guests > 0; guests--) createGuest(world, random, true);
}
