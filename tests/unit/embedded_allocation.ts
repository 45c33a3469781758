// SPDX-License-Identifier: MIT
/** Runs the event channels' hot path many times. Run with `--trace-gc`, the script must trigger no garbage collection. */
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
    // Two rounds: the second event arrives only after the first is taken.
    for (let row = 0; row < 2; row++) {
      while (theirs.pending() === port) {
        events++;
        theirs.unmask(port);
      }
    }
  }
  return events;
}

rounds(20_000); // until V8 has compiled the code
console.log("measured");
console.log(rounds(200_000));
