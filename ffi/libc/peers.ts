// SPDX-License-Identifier: MIT
/**
 * Who is at the other end of the connections that Deno accepts at a UNIX socket. Deno tells neither that nor a connection's
 * descriptor, so the descriptor is looked for: it is the one whose socket has the listener's address, and has not been seen before.
 */
import { ERRNO } from "./errno.ts";
import { clearErrno, errno } from "./failed_call.ts";
import { libc, SO, SOL_SOCKET } from "./libc.ts";

/** Descriptors above this are not looked at; accept(2) gives the lowest that is free. */
const DESCRIPTORS = 1 << 13;
/** So many in a row that are not open end the search: when it was given, all descriptors below the new one were open. */
const UNUSED = 256;
/** `struct sockaddr_un`: its family, and a path of up to 108 octets. */
const ADDRESS_BYTES = 2 + 108;

/** The clients of one listener. */
export class Peers {
  readonly #path: Uint8Array;
  readonly #address = new Uint8Array(ADDRESS_BYTES + 1);
  readonly #length = new Uint32Array(1);
  /** SO_COOKIE, which no two sockets share, of the socket last seen at each descriptor. */
  readonly #seen = new Map<number, bigint>();
  readonly #canSee: boolean;

  /** @param path where the listener is bound, and no other socket of this process; it has accepted nobody yet */
  constructor(path: string) {
    this.#path = new TextEncoder().encode(`${path}\0`);
    clearErrno();
    // The listener itself.
    this.#canSee = this.#unseen() !== undefined;
  }

  /**
   * The user of the client that was accepted last, as it was when it connected. Must be called after each accept, before the next.
   * Undefined if that cannot be found out: on a kernel without SO_COOKIE (before Linux 4.12), or with more descriptors than are
   * looked at.
   */
  newest(): number | undefined {
    const fd = this.#canSee ? this.#unseen() : undefined;
    if (fd === undefined) return undefined;
    const credentials = new Int32Array(3); // struct ucred { pid, uid, gid }
    return option(fd, SO.PEERCRED, credentials) ? credentials[1] >>> 0 : undefined;
  }

  /** A descriptor with a socket of the listener's address that was not there before. */
  #unseen(): number | undefined {
    const cookie = new BigUint64Array(1);
    for (let fd = 0, unused = 0; fd < DESCRIPTORS && unused < UNUSED; fd++) {
      this.#length[0] = ADDRESS_BYTES;
      const isSocket = libc().getsockname(fd, this.#address, this.#length) === 0;
      unused = !isSocket && errno() === ERRNO.EBADF ? unused + 1 : 0;
      if (!isSocket || !this.#isAtPath() || !option(fd, SO.COOKIE, cookie)) continue;
      if (this.#seen.get(fd) === cookie[0]) continue;
      this.#seen.set(fd, cookie[0]);
      return fd;
    }
    return undefined;
  }

  /** Whether the address that getsockname(2) has told is the listener's. */
  #isAtPath(): boolean {
    // A socket without an address has the family alone.
    if (this.#length[0] !== 2 + this.#path.length) return false;
    return this.#path.every((octet, i) => octet === this.#address[2 + i]);
  }
}

/** Reads an option of a socket into `value`; false if there is none such. */
function option(fd: number, name: number, value: ArrayBufferView<ArrayBuffer>): boolean {
  const length = new Uint32Array([value.byteLength]);
  return libc().getsockopt(fd, SOL_SOCKET, name, value as BufferSource, length) === 0;
}
