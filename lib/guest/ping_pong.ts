// SPDX-License-Identifier: MIT
/**
 * Measures the baseline of round trips: an eventfd signal to a thread that is blocked in poll(2), and its answer. No request
 * through an event channel can be faster on this machine. The baseline is measured between the requests, since the cost of a wake-up
 * changes from moment to moment: a processor that has slept for 10 ms takes several times as long as a busy one, and a shared
 * machine varies.
 */
import { EventFd } from "../../ffi/libc/event_fd.ts";
import { POLL } from "../../ffi/libc/libc.ts";
import { PollSet } from "../../ffi/libc/poll_set.ts";
import type { PingPongStart } from "./ping_pong_worker.ts";

const WARM_UP = 5;
const STOP_MS = 5000;

export class PingPong implements Disposable {
  readonly #ping = new EventFd();
  readonly #pong = new EventFd();
  readonly #poll = new PollSet(1);
  readonly #last = new Int32Array(new SharedArrayBuffer(4));

  private constructor() {
    this.#poll.add(this.#pong.fd, POLL.IN);
  }

  /** Starts the other thread. */
  static async start(): Promise<PingPong> {
    const pingPong = new PingPong();
    const worker = new Worker(new URL("./ping_pong_worker.ts", import.meta.url), { type: "module" });
    const ready = new Promise((resolve) => worker.onmessage = resolve);
    const start: PingPongStart = {
      ping: pingPong.#ping.fd,
      pong: pingPong.#pong.fd,
      last: pingPong.#last.buffer as SharedArrayBuffer,
    };
    worker.postMessage(start);
    await ready;
    for (let i = 0; i < WARM_UP; i++) pingPong.round();
    return pingPong;
  }

  /** Makes one round trip, and returns its µs. Blocks this thread. */
  round(): number {
    const start = performance.now();
    this.#ping.signal();
    if (this.#poll.wait(STOP_MS) !== 1) throw new Error("the other thread of the ping-pong does not answer");
    this.#pong.drain();
    return (performance.now() - start) * 1000;
  }

  /** Ends the other thread: after one more answer it no longer uses the descriptors. */
  [Symbol.dispose](): void {
    Atomics.store(this.#last, 0, 1);
    this.round();
    this.#ping[Symbol.dispose]();
    this.#pong[Symbol.dispose]();
  }
}
