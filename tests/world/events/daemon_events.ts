// SPDX-License-Identifier: MIT
/** What an administrator does to the daemon. */
import type { ServeOptions } from "../../../lib/service/serve.ts";
import { CONFIG_FILE } from "../daemon.ts";
import type { Random } from "../machine/random.ts";
import { anyConfiguration } from "../toolstack/configurations.ts";
import type { World } from "../world.ts";
import type { EventTable } from "./events.ts";

/** How the daemon is started: mostly with default devices. */
export function chooseOptions(random: Random): ServeOptions {
  return {
    ...(!random.oneIn(10) && { defaultDevice: random.pick(["hw:0", "hw:1", "plughw:0", "pulse"]) }),
    ...(!random.oneIn(3) && { defaultCaptureDevice: random.pick(["hw:0", "hw:0", "pulse"]) }),
  };
}

/** Starts a daemon, if none runs. */
export function startDaemon(world: World, random: Random): void {
  if (world.daemons.current !== undefined) return;
  // A daemon that did not start for its configuration starts no better a second time.
  if (world.daemons.runs.at(-1)?.ending === "failed") writeConfiguration(world, random);
  // An administrator who changes the command line is rare.
  if (random.oneIn(12)) world.serveOptions = chooseOptions(random);
  const hasFile = world.host.files.read(CONFIG_FILE) !== undefined;
  world.daemons.start({ ...world.serveOptions, ...(hasFile && { config: CONFIG_FILE }) });
}

/** The service manager starts a daemon again that has ended by itself, or was killed: mostly soon. */
function startSoon(world: World, random: Random): void {
  if (random.oneIn(5)) return;
  world.host.clock.after(
    random.below(random.oneIn(3) ? 4_000_000 : 100_000),
    () => startDaemon(world, random),
  );
}

export function writeConfiguration(world: World, random: Random): void {
  const { name, text } = anyConfiguration(random);
  world.log.write(`the administrator writes the configuration "${name}"`);
  const { files, clock } = world.host;
  if (random.oneIn(6)) {
    files.writeSlowly(CONFIG_FILE, text, random.below(text.length + 1), random.below(50_000), clock);
  } else files.write(CONFIG_FILE, text);
}

export const DAEMON_EVENTS: EventTable = {
  "daemon.start": { weight: 6, run: startDaemon },
  "daemon.kill": {
    weight: 0.4,
    run(world, random) {
      world.daemons.current?.process.kill();
      startSoon(world, random);
    },
  },
  "daemon.killInside": {
    weight: 0.5,
    run(world, random) {
      world.daemons.current?.process.killAfter(random.below(random.oneIn(2) ? 10 : 400));
      startSoon(world, random);
    },
  },
  "daemon.stop": {
    weight: 0.4,
    run(world, random) {
      const run = world.daemons.current;
      if (run === undefined) return;
      world.daemons.stop(run);
      startSoon(world, random);
    },
  },
  "daemon.reload": {
    weight: 3,
    run(world, random) {
      if (!random.oneIn(4)) writeConfiguration(world, random);
      const run = world.daemons.current;
      if (run === undefined) return;
      const times = random.oneIn(4) ? random.between(2, 4) : 1;
      for (let n = 0; n < times; n++) {
        world.host.clock.after(n * random.below(30_000), () => {
          if (run.ending === undefined) world.daemons.hangUp(run);
        });
      }
    },
  },
  "daemon.configure": { weight: 1, run: writeConfiguration },
};
