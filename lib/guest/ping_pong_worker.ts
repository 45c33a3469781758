// SPDX-License-Identifier: MIT
/** The other thread of `ping_pong.ts`: answers each signal. */
/// <reference lib="deno.worker" />
import { EventFd } from "../../ffi/libc/event_fd.ts";
import { POLL } from "../../ffi/libc/libc.ts";
import { PollSet } from "../../ffi/libc/poll_set.ts";

export interface PingPongStart {
  readonly ping: number;
  readonly pong: number;
  /** One word; 1: the next signal is the last. */
  readonly last: SharedArrayBuffer;
}

self.onmessage = ({ data }: MessageEvent<PingPongStart>) => {
  const ping = new EventFd(data.ping);
  const pong = new EventFd(data.pong);
  const last = new Int32Array(data.last);
  const poll = new PollSet(1);
  poll.add(data.ping, POLL.IN);
  self.postMessage("ready");
  for (let goOn = true; goOn;) {
    if (poll.wait(-1) < 0) continue; // a signal's handler ran
    goOn = Atomics.load(last, 0) === 0;
    ping.drain();
    pong.signal();
  }
  self.close();
};
