// SPDX-License-Identifier: MIT
/** Sends datagrams to a UNIX socket. Unlike Deno's own sockets these know abstract addresses. */
import { ERRNO } from "./errno.ts";
import { clearErrno, Errno, errno, unwrap } from "./failed_call.ts";
import { AF, libc, MSG, SOCK } from "./libc.ts";
import { cString } from "../base/c_string.ts";

/** Octets of `sun_path` (sys/un.h). */
const SUN_PATH = 108;

/** A socket that sends datagrams to one address. */
export class DatagramSender implements Disposable {
  readonly #address: Uint8Array<ArrayBuffer>;
  #fd: number;

  /**
   * Throws RangeError for a bad address, {@link Errno} if the kernel refuses a socket.
   * @param address a path, or `@NAME` for an abstract address
   */
  constructor(readonly address: string) {
    this.#address = encodeAddress(address);
    this.#fd = unwrap(libc().socket(AF.UNIX, SOCK.DGRAM | SOCK.CLOEXEC, 0), "socket");
  }

  /** Sends one datagram; false if the receiver's queue is full. Throws {@link Errno}. */
  send(text: string): boolean {
    const octets = new TextEncoder().encode(text);
    const { length } = this.#address;
    const flags = MSG.DONTWAIT | MSG.NOSIGNAL;
    clearErrno();
    if (libc().sendto(this.#fd, octets, BigInt(octets.length), flags, this.#address, length) >= 0) {
      return true;
    }
    const code = errno();
    if (code === ERRNO.EAGAIN) return false;
    throw new Errno(`send to ${this.address}`, code);
  }

  [Symbol.dispose](): void {
    if (this.#fd === -1) return;
    libc().close(this.#fd);
    this.#fd = -1;
  }
}

/** `struct sockaddr_un`: the family, then the path with its NUL; or the family, a NUL, and the abstract name without a NUL. */
function encodeAddress(address: string): Uint8Array<ArrayBuffer> {
  if (!/^[/@]./.test(address)) throw new RangeError(`${JSON.stringify(address)} is no UNIX socket's address`);
  const path = cString(address);
  if (path.length > SUN_PATH) throw new RangeError(`${JSON.stringify(address)} is too long an address`);
  const isAbstract = address.startsWith("@");
  if (isAbstract) path[0] = 0;
  const octets = new Uint8Array(2 + path.length - (isAbstract ? 1 : 0));
  new Uint16Array(octets.buffer, 0, 1)[0] = AF.UNIX;
  octets.set(path.subarray(0, octets.length - 2), 2);
  return octets;
}
