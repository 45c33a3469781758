// SPDX-License-Identifier: MIT
/** A timer that wakes poll(2): timerfd_create(2). */
import { unwrap } from "./failed_call.ts";
import { CLOCK, libc, TFD } from "./libc.ts";
import { addressOf } from "./pointers.ts";

/** A timerfd on CLOCK_MONOTONIC. */
export class TimerFd implements Disposable {
  #fd: number;
  readonly #spec = new BigInt64Array(4); // itimerspec: interval {s, ns}, value {s, ns}
  readonly #word = new BigUint64Array(1);
  readonly #wordAddress = addressOf(this.#word);

  constructor() {
    this.#fd = unwrap(libc().timerfd_create(CLOCK.MONOTONIC, TFD.CLOEXEC | TFD.NONBLOCK), "timerfd_create");
  }

  get fd(): number {
    return this.#fd;
  }

  /**
   * Sets the first expiry `firstNs` nanoseconds from now (0 disarms), then one every `intervalNs` (0: only the first).
   * Not for the hot path: makes BigInts.
   */
  arm(firstNs: number, intervalNs = 0): void {
    this.#spec[0] = BigInt(Math.floor(intervalNs / 1e9));
    this.#spec[1] = BigInt(Math.floor(intervalNs % 1e9));
    this.#spec[2] = BigInt(Math.floor(firstNs / 1e9));
    this.#spec[3] = BigInt(Math.floor(firstNs % 1e9));
    unwrap(libc().timerfd_settime(this.#fd, 0, this.#spec, null), "timerfd_settime");
  }

  /** Makes {@link fd} unreadable until the next expiry; true if the timer had expired. Allocates nothing. */
  drain(): boolean {
    return libc().hot_read(this.#fd, this.#wordAddress, 8) === 8;
  }

  [Symbol.dispose](): void {
    if (this.#fd === -1) return;
    libc().close(this.#fd);
    this.#fd = -1;
  }
}
