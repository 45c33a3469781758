// SPDX-License-Identifier: MIT
/** Open files of the virtual machine: what poll(2), read(2), write(2) and close(2) do to each kind. */
import type { Clock, Entry } from "./clock.ts";
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { POLL } from "../../../ffi/libc/libc.ts";

/** A file behind a descriptor. Errors are negative errno values. */
export abstract class OpenFile {
  /** Called whenever the file may have become ready. */
  readonly watchers = new Set<() => void>();

  /** The `POLL.*` bits that poll(2) would report now. */
  abstract ready(): number;

  read(_into: Uint8Array): number {
    return -ERRNO.EINVAL;
  }

  write(_octets: Uint8Array): number {
    return -ERRNO.EINVAL;
  }

  /** The last descriptor is closed. */
  close(): void {}

  /** To be called when the file may have become ready. */
  changed(): void {
    for (const watcher of [...this.watchers]) watcher();
  }
}

/** eventfd(2), non-blocking. */
export class EventFile extends OpenFile {
  #count = 0n;

  ready(): number {
    return (this.#count > 0n ? POLL.IN : 0) | POLL.OUT;
  }

  override read(into: Uint8Array): number {
    if (this.#count === 0n) return -ERRNO.EAGAIN;
    new DataView(into.buffer, into.byteOffset).setBigUint64(0, this.#count, true);
    this.#count = 0n;
    return 8;
  }

  override write(octets: Uint8Array): number {
    this.#count += new DataView(octets.buffer, octets.byteOffset).getBigUint64(0, true);
    this.changed();
    return 8;
  }
}

/** timerfd_create(2), non-blocking, on the virtual clock. */
export class TimerFile extends OpenFile {
  #next: Entry | undefined;
  #expirations = 0;

  constructor(private readonly clock: Clock) {
    super();
  }

  /** As timerfd_settime(2); times in µs. */
  arm(first: number, interval: number): void {
    this.clock.cancel(this.#next);
    this.#expirations = 0;
    this.#next = undefined;
    if (first > 0) this.#expireAt(this.clock.now + this.clock.ahead + first, interval);
  }

  #expireAt(time: number, interval: number): void {
    this.#next = this.clock.at(time, () => {
      this.#expirations++;
      this.#next = undefined;
      if (interval > 0) this.#expireAt(time + interval, interval);
      this.changed();
    });
  }

  ready(): number {
    return this.#expirations > 0 ? POLL.IN : 0;
  }

  override read(into: Uint8Array): number {
    if (this.#expirations === 0) return -ERRNO.EAGAIN;
    new DataView(into.buffer, into.byteOffset).setBigUint64(0, BigInt(this.#expirations), true);
    this.#expirations = 0;
    return 8;
  }

  override close(): void {
    this.arm(0, 0);
  }
}
