// SPDX-License-Identifier: MIT
/** A worker that blocks in poll(2) on an adopted handle and answers each event on the same port. */
import { POLL } from "../../ffi/libc/libc.ts";
import { PollSet } from "../../ffi/libc/poll_set.ts";
import { adoptEventChannels } from "../../lib/xen/mod.ts";
import type { EventChannelsShare } from "../../lib/xen/ports.ts";

const scope = self as unknown as Worker & { onmessage: (event: MessageEvent) => void };
scope.onmessage = async ({ data }: MessageEvent<{ share: EventChannelsShare; rounds: number }>) => {
  using channels = await adoptEventChannels(data.share);
  const set = new PollSet(1);
  set.add(channels.fd, POLL.IN);
  scope.postMessage("ready");
  for (let round = 0; round < data.rounds;) {
    set.wait(-1);
    for (let port; (port = channels.pending()) !== -1; round++) {
      channels.unmask(port);
      channels.notify(port);
    }
  }
  scope.postMessage("done");
};
