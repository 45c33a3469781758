// SPDX-License-Identifier: MIT
/** Waiting for several file descriptors: poll(2). */
import { libc } from "./libc.ts";
import { addressOf, whileAlive } from "./pointers.ts";

/** Up to `capacity` entries of `struct pollfd`, and the calls that wait for them. */
export class PollSet {
  readonly #fds: Int32Array<ArrayBuffer>;
  readonly #events: Int16Array<ArrayBuffer>;
  readonly #address: NonNullable<Deno.PointerValue>;
  #length = 0;

  constructor(readonly capacity: number) {
    this.#fds = new Int32Array(capacity * 2); // { int fd; short events; short revents; }
    this.#events = new Int16Array(this.#fds.buffer);
    this.#address = addressOf(this.#fds);
  }

  get length(): number {
    return this.#length;
  }

  /** Forgets all entries. */
  clear(): void {
    this.#length = 0;
  }

  /**
   * Adds a descriptor; returns the entry's index for {@link revents}. poll(2) ignores a negative descriptor.
   * @param events `POLL.*` bits
   */
  add(fd: number, events: number): number {
    if (this.#length === this.capacity) throw new RangeError(`a PollSet of ${this.capacity} is full`);
    const index = this.#length++;
    this.#fds[index * 2] = fd;
    this.setEvents(index, events);
    return index;
  }

  setEvents(index: number, events: number): void {
    this.#events[index * 4 + 2] = events;
    this.#events[index * 4 + 3] = 0;
  }

  /** Makes poll(2) ignore entry `index`, until {@link clear}. */
  ignore(index: number): void {
    this.#fds[index * 2] = -1;
    this.setEvents(index, 0);
  }

  /** The `POLL.*` bits that the last wait reported for entry `index`. */
  revents(index: number): number {
    return this.#events[index * 4 + 3]!;
  }

  /** Blocks this thread for up to `timeoutMs` (-1: for ever); returns the number of ready entries, or -1 with errno. */
  wait(timeoutMs: number): number {
    return libc().hot_poll(this.#address, this.#length, timeoutMs);
  }

  /** As {@link wait}, but a pool thread waits and this thread's event loop goes on. errno is lost. */
  waitAsync(timeoutMs: number): Promise<number> {
    return whileAlive(libc().poll_async(this.#fds, BigInt(this.#length), timeoutMs), this);
  }
}
