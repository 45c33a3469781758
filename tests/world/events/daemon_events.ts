// SPDX-License-Identifier: MIT
/** What an administrator does to the daemon. */
import type { EventTable } from "./events.ts";

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
  "daemon.hangUp": { weight: 0.7, run: ({ administrator }, random) => administrator.hangUp(random) },
  "daemon.configure": { weight: 1, run: ({ administrator }, random) => administrator.write(random) },
  "daemon.unconfigure": { weight: 0.3, run: ({ administrator }) => administrator.remove() },
};
