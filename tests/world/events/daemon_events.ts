// SPDX-License-Identifier: MIT
/** What an administrator does to the daemon. */
import type { EventTable } from "./events.ts";
import { reloadDriver } from "./guest_events.ts";

export const DAEMON_EVENTS: EventTable = {
  "daemon.start": {
    weight: 6,
    run: ({ administrator }, random) => void administrator.start(random),
  },
  "daemon.second": { weight: 0.3, run: ({ administrator }) => void administrator.startSecond() },
  "daemon.kill": { weight: 0.6, run: ({ administrator }, random) => administrator.kill(random) },
  "daemon.stop": { weight: 0.25, run: ({ administrator }, random) => administrator.pause(random) },
  "daemon.replace": { weight: 0.25, run: ({ administrator }, random) => administrator.replace(random) },
  "daemon.reload": { weight: 3, run: ({ administrator }, random) => administrator.reload(random) },
  /** Often as a guest's driver starts over. */
  "daemon.flip": {
    weight: 2,
    run({ administrator, population }, random) {
      const guests = population.present;
      if (guests.length > 0 && random.oneIn(2)) reloadDriver(random.pick(guests), random.below(300_000));
      administrator.flip(random);
    },
  },
  "daemon.hangUp": { weight: 0.7, run: ({ administrator }, random) => administrator.hangUp(random) },
  "daemon.configure": { weight: 1, run: ({ administrator }, random) => administrator.write(random) },
  "daemon.unconfigure": { weight: 0.3, run: ({ administrator }) => administrator.remove() },
};
