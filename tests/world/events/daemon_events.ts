// SPDX-License-Identifier: MIT
/** What an administrator does to the daemon. */
import type { ServeOptions } from "../../../lib/service/serve.ts";
import { CONFIG_FILE } from "../daemon.ts";
import type { Random } from "../machine/random.ts";
import type { World } from "../world.ts";
import type { EventTable } from "./events.ts";

/** How the daemon is started: mostly with default devices. */
function serveOptions(world: World, random: Random): ServeOptions {
  return {
    ...(world.host.files.read(CONFIG_FILE) !== undefined && { config: CONFIG_FILE }),
    ...(!random.oneIn(6) && { defaultDevice: random.pick(["hw:0", "hw:1", "plughw:0", "pulse"]) }),
    ...(!random.oneIn(3) && { defaultCaptureDevice: random.pick(["hw:0", "hw:0", "pulse"]) }),
  };
}

/** Starts a daemon, if none runs. */
function start(world: World, random: Random): void {
  if (world.daemons.current === undefined) world.daemons.start(serveOptions(world, random));
}

export const DAEMON_EVENTS: EventTable = {
  "daemon.start": { weight: 40, run: start },
  "daemon.kill": {
    weight: 4,
    run(world, random) {
      const run = world.daemons.current;
      if (run === undefined) return;
      run.process.kill();
      if (random.oneIn(2)) world.host.clock.after(random.below(50_000), () => start(world, random));
    },
  },
  "daemon.killInside": {
    weight: 4,
    run(world, random) {
      const run = world.daemons.current;
      run?.process.killAfter(random.below(random.oneIn(2) ? 10 : 400));
    },
  },
  "daemon.stop": {
    weight: 3,
    run(world, random) {
      const run = world.daemons.current;
      if (run === undefined) return;
      world.daemons.stop(run);
      if (random.oneIn(2)) world.host.clock.after(random.below(3_000_000), () => start(world, random));
    },
  },
};
