/**
 * The baseline that round trips are compared with: an eventfd signal to another thread that is blocked in poll(2), and
 * its answer, which is the least that any request through an event channel costs on this machine. Rounds are as far
 * apart as a stream's requests are at least: a processor that has slept for that long takes several times as long
 * to wake as one that has just been busy.
 */
import { EventFd, POLL, PollSet } from "../../ffi/libc.ts";
import { type Percentiles, percentiles } from "./percentiles.ts";

const WARM_UP = 5;
const ROUNDS = 40;
const APART_MS = 10;
const STOP_MS = 5000;

/** Measures round trips in µs. Takes half a second, in which it blocks this thread. */
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
