// SPDX-License-Identifier: MIT
/**
 * Tells which user is at the other end of a connection that Deno has accepted at a UNIX socket. Deno reports neither the user
 * nor the connection's descriptor. So this file searches all descriptors for a socket with the listener's address that was not
 * there before.
 */
import { ERRNO } from "./errno.ts";
import { clearErrno, errno } from "./failed_call.ts";
import { libc, SO, SOL_SOCKET } from "./libc.ts";

/** The search ends at this descriptor; accept(2) returns the lowest free one. */
const DESCRIPTORS = 1 << 13;
/** This many unused descriptors in a row end the search: at the accept all descriptors below the new one were in use. */
const UNUSED = 256;
/** `struct sockaddr_un`: its family, and a path of up to 108 octets. */
const ADDRESS_BYTES = 2 + 108;

/** The clients of one listener. */
export class Peers {
  readonly #path: Uint8Array;
  readonly #address = new Uint8Array(ADDRESS_BYTES + 1);
  readonly #length = new Uint32Array(1);
  /** The SO_COOKIE of the socket last seen at each descriptor. No two sockets share a cookie. */
  readonly #seen = new Map<number, bigint>();
  readonly #canSee: boolean;

  /** @param path the address of the listener, and of no other socket of this process. The listener has accepted nobody yet. */
  constructor(path: string) {
    this.#path = new TextEncoder().encode(`${path}\0`);
    clearErrno();
    // Marks the listener itself as seen.
    this.#canSee = this.#unseen() !== undefined;
  }

  /**
   * The user of the client that was accepted last, as of its connect. Call this after each accept, before the next.
   * Undefined if the search fails: on a kernel without SO_COOKIE (before Linux 4.12), or with more descriptors than it covers.
   */
  newest(): number | undefined {
    const fd = this.#canSee ? this.#unseen() : undefined;
    if (fd === undefined) return undefined;
    const credentials = new Int32Array(3); // struct ucred { pid, uid, gid }
    return option(fd, SO.PEERCRED, credentials) ? credentials[1]! >>> 0 : undefined;
  }

  /** A descriptor whose socket has the listener's address and was not there before. */
  #unseen(): number | undefined {
    const cookie = new BigUint64Array(1);
    for (let fd = 0, unused = 0; fd < DESCRIPTORS && unused < UNUSED; fd++) {
      this.#length[0] = ADDRESS_BYTES;
      const isSocket = libc().getsockname(fd, this.#address, this.#length) === 0;
      unused = !isSocket && errno() === ERRNO.EBADF ? unused + 1 : 0;
      if (!isSocket || !this.#isAtPath() || !option(fd, SO.COOKIE, cookie)) continue;
      if (this.#seen.get(fd) === cookie[0]!) continue;
      this.#seen.set(fd, cookie[0]!);
      return fd;
    }
    return undefined;
  }

  /** Whether getsockname(2) has stored the listener's address. */
  #isAtPath(): boolean {
    // The address of an unbound socket is the family alone.
    if (this.#length[0] !== 2 + this.#path.length) return false;
    return this.#path.every((octet, i) => octet === this.#address[2 + i]);
  }
}

/** Reads a socket's option into `value`; false if the kernel has no such option. */
function option(fd: number, name: number, value: ArrayBufferView<ArrayBuffer>): boolean {
  const length = new Uint32Array([value.byteLength]);
  return libc().getsockopt(fd, SOL_SOCKET, name, value as BufferSource, length) === 0;
}
