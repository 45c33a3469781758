// SPDX-License-Identifier: MIT
/** Plays scripts: each in a world of its own, from the world's beginning to its end. */
import { AlsaDevice } from "../../lib/pcm/alsa/device.ts";
import { EVENTS } from "./events/events.ts";
import { describe, install } from "./host.ts";
import type { Violation } from "./invariants/invariants.ts";
import type { Script, Weights } from "./script.ts";
import { World } from "./world.ts";

/** µs in which ALSA is warm. */
const WARM_UP_MICROS = 120_000_000;

/** What became of a world. */
export interface Outcome {
  readonly events: number;
  /** Turns of all threads. */
  readonly turns: number;
  /** Virtual seconds, and seconds of guests' sound that were heard. */
  readonly seconds: number;
  readonly soundSeconds: number;
  readonly digest: string;
  readonly log: readonly string[];
  readonly violation: Violation | undefined;
}

/** How often each kind of event happens. */
export const WEIGHTS: Weights = Object.fromEntries(
  Object.entries(EVENTS).map(([kind, { weight }]) => [kind, weight]),
);

let installed: Promise<void> | undefined;

/** Plays a script from its beginning. */
export async function playScript(script: Script): Promise<Outcome> {
  installed ??= prepare();
  await installed;
  return await play(script);
}

/** The platform, and all that the program's modules do once: a world of its own, which nobody looks at. */
async function prepare(): Promise<void> {
  await install();
  await warmUp();
  await play({
    seed: 1,
    events: [{ wait: 1000, kind: "daemon.start", seed: 1 }, { wait: 1000, kind: "xl.create", seed: 1 }],
  });
}

/** ALSA's first use: a module keeps that it has been, and the daemons of all worlds have one module. */
async function warmUp(): Promise<void> {
  const { host } = new World(0);
  host.enter();
  const process = host.process("first");
  let isWarm = false;
  process.main.post(0, () => void new AlsaDevice("null", "playback").warmUp().then(() => isWarm = true));
  await host.clock.runUntil(WARM_UP_MICROS);
  if (!isWarm) throw new Error("ALSA cannot be warmed up");
  process.kill();
  host.xen.end();
}

async function play({ seed, events }: Script): Promise<Outcome> {
  const world = new World(seed);
  world.begin();
  let done = 0;
  try {
    for (const { wait, kind, seed } of events) {
      await world.step(wait, kind, seed);
      if (world.violation !== undefined) break;
      done++;
    }
    if (world.violation === undefined) await world.end();
    // What is written to memory that is unmapped shows here, before the verdict.
    world.close();
  } catch (error) {
    world.violated("worldItself", describe(error));
  }
  const { now, log, violation } = world;
  return {
    events: done,
    turns: world.host.turns,
    seconds: now / 1e6,
    soundSeconds: world.ledger.seconds,
    digest: log.digest,
    log: log.lines,
    violation: violation && { ...violation, event: done },
  };
}
