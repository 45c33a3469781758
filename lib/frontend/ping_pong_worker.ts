/** The other thread of `ping_pong.ts`. */
/// <reference lib="deno.worker" />
import { EventFd, POLL, PollSet } from "../../ffi/libc.ts";

interface PingPong {
  readonly ping: number;
  readonly pong: number;
  readonly rounds: number;
}

self.onmessage = ({ data }: MessageEvent<PingPong>) => {
  const ping = new EventFd(data.ping);
  const pong = new EventFd(data.pong);
  const poll = new PollSet(1);
  poll.add(data.ping, POLL.IN);
  self.postMessage("ready");
  for (let i = 0; i < data.rounds; i++) {
    if (poll.wait(5000) !== 1) break;
    ping.drain();
    pong.signal();
  }
  self.close();
};
