// SPDX-License-Identifier: MIT
/** What happens to xenstored. */
import type { EventTable } from "./events.ts";

export const XENSTORE_EVENTS: EventTable = {
  /** Each request takes longer, for a while. */
  "xenstore.slow": {
    weight: 1,
    run({ host: { xen: { xenstored }, clock } }, random) {
      const { requestMicros } = xenstored;
      const usual = { ...requestMicros };
      if (usual.most > 100) return;
      Object.assign(requestMicros, { least: 50, most: random.between(200, 2000) });
      clock.after(random.below(3_000_000), () => void Object.assign(requestMicros, usual));
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
