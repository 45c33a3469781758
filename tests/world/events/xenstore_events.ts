// SPDX-License-Identifier: MIT
/** What happens to xenstored. */
import type { EventTable } from "./events.ts";

export const XENSTORE_EVENTS: EventTable = {
  /** Each request takes longer for a while, and changes are heard of later. */
  "xenstore.slow": {
    weight: 1,
    run({ host: { xen: { xenstored }, clock } }, random) {
      const { requestMicros, eventMicros } = xenstored;
      const usual = [{ ...requestMicros }, { ...eventMicros }];
      if (requestMicros.most > 100) return;
      Object.assign(requestMicros, { least: 50, most: random.between(200, 2000) });
      if (random.oneIn(2)) Object.assign(eventMicros, { least: 1000, most: random.between(5000, 300_000) });
      clock.after(random.below(3_000_000), () => {
        Object.assign(requestMicros, usual[0]);
        Object.assign(eventMicros, usual[1]);
      });
    },
  },
  /** The daemon loses its connection. */
  "xenstore.hangsUp": {
    weight: 0.7,
    run({ host: { xen: { xenstored } }, daemons }) {
      const run = daemons.current;
      if (run !== undefined) xenstored.disconnect(run.process);
    },
  },
  /** The server dies, between two requests or in one, and is there again a moment later. */
  "xenstore.dies": {
    weight: 0.4,
    run({ host: { xen: { xenstored } } }, random) {
      xenstored.restartMicros = random.below(1_000_000);
      if (random.oneIn(2)) xenstored.die();
      else xenstored.dieAt(random.below(40), random.pick(["done", "not done"] as const));
    },
  },
};
