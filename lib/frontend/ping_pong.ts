/**
 * The baseline that round trips are compared with: an eventfd signal to another thread that is blocked in poll(2), and
 * its answer, which is the least that any request through an event channel costs on this machine. Rounds are a
 * millisecond apart, since requests are not sent back to back either: both threads have gone to sleep in between.
 */
import { EventFd, POLL, PollSet } from "../../ffi/libc.ts";
import { type Percentiles, percentiles } from "./percentiles.ts";

const WARM_UP = 20;
const ROUNDS = 80;
const APART_MS = 1;
const STOP_MS = 5000;

/** Measures round trips in µs. Takes a few tenths of a second, as the kernel's timer has it. Blocks this thread. */
export async function measurePingPong(): Promise<Percentiles> {
  using ping = new EventFd();
  using pong = new EventFd();
  const worker = new Worker(new URL("./ping_pong_worker.ts", import.meta.url), { type: "module" });
  try {
    const ready = new Promise((resolve) => worker.onmessage = resolve);
    worker.postMessage({ ping: ping.fd, pong: pong.fd, rounds: WARM_UP + ROUNDS });
    await ready;
    const idle = new PollSet(1);
    const poll = new PollSet(1);
    poll.add(pong.fd, POLL.IN);
    const micros: number[] = [];
    for (let i = 0; i < WARM_UP + ROUNDS; i++) {
      idle.wait(APART_MS);
      const start = performance.now();
      ping.signal();
      if (poll.wait(STOP_MS) !== 1) throw new Error("the other thread of the ping-pong does not answer");
      pong.drain();
      if (i >= WARM_UP) micros.push((performance.now() - start) * 1000);
    }
    return percentiles(micros);
  } finally {
    worker.terminate();
  }
}
