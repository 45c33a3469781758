// SPDX-License-Identifier: MIT
/**
 * A process that acts as domain `Deno.args[1]` in the embedded Xen `Deno.args[0]`. The process grants two pages to dom0, binds
 * a port for dom0, and prints both on stdout. For each event the process writes word 0 of the pages plus one to word 1024, and
 * notifies dom0. A negative word 0 ends the process.
 */
import { POLL } from "../../ffi/libc/libc.ts";
import { PollSet } from "../../ffi/libc/poll_set.ts";
import { openXen } from "../../lib/xen/mod.ts";

const [sandbox, domid] = Deno.args;
using xen = await openXen({ sandbox, domid: Number(domid) });
using channels = xen.openEventChannels();
using sharer = xen.openGrantSharer();
using pages = sharer.share(0, 2, "write");
const port = channels.bindUnbound(0);
console.log(JSON.stringify({ grefs: pages.grefs, port }));

const words = new Int32Array(pages.buffer);
const set = new PollSet(1);
set.add(channels.fd, POLL.IN);
while (Atomics.load(words, 0) >= 0) {
  set.wait(-1);
  if (channels.pending() !== port) continue;
  Atomics.store(words, 1024, Atomics.load(words, 0) + 1);
  channels.unmask(port);
  channels.notify(port);
}
