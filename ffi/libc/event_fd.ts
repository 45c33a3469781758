// SPDX-License-Identifier: MIT
/** Waking a thread that waits in poll(2): eventfd(2). */
import { unwrap } from "./failed_call.ts";
import { EFD, libc } from "./libc.ts";
import { addressOf } from "./pointers.ts";

/** An eventfd: a counter that makes a file descriptor readable. Calls on it allocate nothing. */
export class EventFd implements Disposable {
  #fd: number;
  readonly #word = new BigUint64Array(1);
  readonly #one = new BigUint64Array([1n]);
  readonly #wordAddress = addressOf(this.#word);
  readonly #oneAddress = addressOf(this.#one);

  /** @param fd another thread's eventfd, of which only one view is to be disposed; a new eventfd by default */
  constructor(fd?: number) {
    this.#fd = fd ?? unwrap(libc().eventfd(0, EFD.CLOEXEC | EFD.NONBLOCK), "eventfd");
  }

  get fd(): number {
    return this.#fd;
  }

  /** Adds one to the counter, which wakes every poller. The counter cannot overflow in practice (2^64 - 2). */
  signal(): void {
    libc().hot_write(this.#fd, this.#oneAddress, 8);
  }

  /** Sets the counter back to 0, which makes {@link fd} unreadable; true if {@link fd} was readable. */
  drain(): boolean {
    return libc().hot_read(this.#fd, this.#wordAddress, 8) === 8;
  }

  [Symbol.dispose](): void {
    if (this.#fd === -1) return;
    libc().close(this.#fd);
    this.#fd = -1;
  }
}
