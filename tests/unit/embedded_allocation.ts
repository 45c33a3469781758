// SPDX-License-Identifier: MIT
/** The hot path, many times over; run with `--trace-gc`, it must not make V8 collect anything. */
import { openXen } from "../../lib/xen/mod.ts";

using xen = await openXen({ sandbox: Deno.args[0], domid: 0 });
using ours = xen.openEventChannels();
using theirs = xen.openEventChannels();
const port = theirs.bindUnbound(0);
const local = ours.bindInterdomain(0, port);

function rounds(count: number): number {
  let events = 0;
  for (let round = 0; round < count; round++) {
    ours.notify(local);
    ours.notify(local);
    // Two rows, since the second event is there only when the first has been taken.
    for (let row = 0; row < 2; row++) {
      while (theirs.pending() === port) {
        events++;
        theirs.unmask(port);
      }
    }
  }
  return events;
}

rounds(20_000); // until it is compiled
console.log("measured");
console.log(rounds(200_000));
