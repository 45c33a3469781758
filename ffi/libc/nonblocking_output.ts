// SPDX-License-Identifier: MIT
/**
 * Writes to a descriptor of any kind without ever waiting for its reader. The flag O_NONBLOCK belongs to the open file
 * description, which a shell and other programs may share. So this file never sets that flag on a given descriptor.
 */
import { ERRNO } from "./errno.ts";
import { clearErrno, Errno, errno } from "./failed_call.ts";
import { libc, MSG, O, POLL, SEEK } from "./libc.ts";
import { PollSet } from "./poll_set.ts";
import { cString } from "../base/c_string.ts";

/** limits.h, on Linux: a pipe for which poll(2) reports POLLOUT takes this many octets at once. */
const PIPE_BUF = 4096;

type Write = (octets: Uint8Array<ArrayBuffer>) => number;

export class NonblockingOutput implements Disposable {
  readonly #poll = new PollSet(1);
  /** A descriptor with an open file description of its own, or -1. */
  #own = -1;
  readonly #write: Write;

  constructor(private readonly fd: number) {
    clearErrno();
    this.#poll.add(fd, POLL.OUT);
    this.#write = this.#choose();
  }

  #choose(): Write {
    const { lseek, open } = libc();
    // A file has no reader, so a write never waits. A second opening would write from the file's start.
    if (lseek(this.fd, 0n, SEEK.CUR) >= 0) return (octets) => writeTo(this.fd, octets);
    // A second opening of a pipe or a terminal is a description of its own.
    this.#own = open(
      cString(`/proc/self/fd/${this.fd}`),
      O.WRONLY | O.NONBLOCK | O.NOCTTY | O.CLOEXEC,
      0,
    );
    if (this.#own >= 0) return (octets) => writeTo(this.#own, octets);
    // A socket cannot be opened, but its calls take a flag. Another user's pipe or terminal allows neither.
    return (octets) => this.#send(octets) ?? this.#writeWhenReady(octets);
  }

  /** Writes to a socket, as {@link write}; undefined if the descriptor is no socket. */
  #send(octets: Uint8Array<ArrayBuffer>): number | undefined {
    const { sendto } = libc();
    const taken = sendto(this.fd, octets, BigInt(octets.length), MSG.DONTWAIT | MSG.NOSIGNAL, null, 0);
    return taken < 0 && errno() === ERRNO.ENOTSOCK ? undefined : unwrapTaken(taken);
  }

  /** May wait if another process fills the pipe between the two calls, or if a terminal has little room. */
  #writeWhenReady(octets: Uint8Array<ArrayBuffer>): number {
    return this.#poll.wait(0) > 0 ? writeTo(this.fd, octets.subarray(0, PIPE_BUF)) : 0;
  }

  /** Writes what there is room for; returns the number of octets. 0: the reader has to read first. Throws {@link Errno}. */
  write(octets: Uint8Array<ArrayBuffer>): number {
    return this.#write(octets);
  }

  /** Blocks this thread until there is room, or for `timeoutMs`. */
  wait(timeoutMs: number): void {
    this.#poll.wait(timeoutMs);
  }

  [Symbol.dispose](): void {
    if (this.#own === -1) return;
    libc().close(this.#own);
    this.#own = -1;
  }
}

function writeTo(fd: number, octets: Uint8Array<ArrayBuffer>): number {
  return unwrapTaken(libc().write(fd, octets, BigInt(octets.length)));
}

function unwrapTaken(taken: bigint | number): number {
  if (taken >= 0) return Number(taken);
  const code = errno();
  if (code === ERRNO.EAGAIN || code === ERRNO.EINTR) return 0;
  throw new Errno("write", code);
}
