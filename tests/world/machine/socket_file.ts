// SPDX-License-Identifier: MIT
/**
 * UNIX stream sockets as the virtual kernel has them: buffers with bounds, hanging up, and queues of connections that nobody has
 * accepted yet. What Linux does is in net/unix/af_unix.c.
 */
import { POLL } from "../../../ffi/libc/libc.ts";
import type { User } from "./credentials.ts";
import { OpenFile } from "./files.ts";
import type { Process } from "./process.ts";
import { negative } from "./system_error.ts";

/** What the kernel charges a write beyond its octets: a `struct sk_buff`, and what is shared between such. */
const OVERHEAD = 768;

/** Octets that one write has added to a socket's buffer. */
interface Part {
  readonly octets: Uint8Array;
  /** Octets that are read already. */
  read: number;
}

/** The peer's process, as of connect(2) or listen(2). */
export interface PeerCredentials extends User {
  readonly pid: number;
}

/** One end of a connection. */
export class SocketFile extends OpenFile {
  /** The other end, until that is closed. */
  #peer: SocketFile | undefined;
  /** What the other end has written. */
  readonly #parts: Part[] = [];
  /** What the kernel charges the other end for {@link #parts}. */
  #charge = 0;
  /** No more octets come, or may be written. */
  #isReadEnd = false;
  #isWriteEnd = false;
  /** The next read without octets fails with ECONNRESET. */
  #isReset = false;

  /**
   * @param capacity what the kernel may charge for octets written and not yet read (net.core.wmem_default)
   * @param address the path that the socket is bound to; undefined for a client's
   * @param cookie SO_COOKIE
   */
  constructor(
    private readonly capacity: number,
    readonly address: string | undefined,
    readonly cookie: bigint,
    readonly peerCredentials: PeerCredentials,
  ) {
    super();
  }

  /** Makes two sockets a connection. */
  static connect(a: SocketFile, b: SocketFile): void {
    a.#peer = b;
    b.#peer = a;
  }

  /** Octets that are written and not yet read. */
  get unread(): number {
    return this.#parts.reduce((sum, { octets, read }) => sum + octets.length - read, 0);
  }

  /** Whether a read would not wait. */
  get isReadable(): boolean {
    return this.#parts.length > 0 || this.#isReadEnd || this.#isReset;
  }

  /** Whether poll(2) says that a write would not wait: at most a quarter of the buffer is in use. */
  get isWritable(): boolean {
    return this.#isWriteEnd || this.#peer === undefined || this.#peer.#charge * 4 <= this.capacity;
  }

  ready(): number {
    const hasHungUp = this.#peer === undefined ? POLL.HUP : 0;
    return (this.isReadable ? POLL.IN : 0) | (this.isWritable ? POLL.OUT : 0) | hasHungUp;
  }

  /** As read(2): 0 when no more octets come. */
  override read(into: Uint8Array): number {
    let done = 0;
    for (let part; done < into.length && (part = this.#parts[0]) !== undefined;) {
      const some = part.octets.subarray(part.read, part.read + into.length - done);
      into.set(some, done);
      done += some.length;
      part.read += some.length;
      if (part.read < part.octets.length) break;
      this.#parts.shift();
      this.#charge -= part.octets.length + OVERHEAD;
    }
    if (done > 0) {
      this.#peer?.changed();
      return done;
    }
    if (this.#isReset) {
      this.#isReset = false;
      return negative("ECONNRESET");
    }
    return this.#isReadEnd ? 0 : negative("EAGAIN");
  }

  /** As write(2): the number of octets that the buffer had room for. */
  override write(octets: Uint8Array): number {
    const peer = this.#peer;
    if (this.#isWriteEnd || peer === undefined) return negative("EPIPE");
    if (octets.length === 0) return 0;
    const room = this.capacity - peer.#charge - OVERHEAD;
    if (room <= 0) return negative("EAGAIN");
    const part = octets.slice(0, room);
    peer.#parts.push({ octets: part, read: 0 });
    peer.#charge += part.length + OVERHEAD;
    peer.changed();
    return part.length;
  }

  /** As shutdown(SHUT_WR). */
  shutdownWrite(): void {
    this.#isWriteEnd = true;
    const peer = this.#peer;
    if (peer === undefined) return;
    peer.#isReadEnd = true;
    peer.changed();
  }

  /** The other end learns of it; as a reset if octets of it are lost, or if nobody has accepted the connection. */
  override close(isAccepted = true): void {
    const peer = this.#peer;
    this.#peer = undefined;
    this.#isReadEnd = this.#isWriteEnd = true;
    const isLoss = this.#parts.length > 0 || !isAccepted;
    this.#parts.length = this.#charge = 0;
    this.watchers.clear();
    if (peer === undefined) return;
    peer.#peer = undefined;
    peer.#isReadEnd = peer.#isWriteEnd = true;
    if (isLoss) peer.#isReset = true;
    peer.changed();
  }
}

/** A socket that listens. */
export class ListeningFile extends OpenFile {
  /** The servers' ends of connections that nobody has accepted yet. */
  readonly queue: SocketFile[] = [];
  #isClosed = false;

  /** @param backlog this many connections and one more may wait */
  constructor(
    readonly process: Process,
    readonly address: string,
    readonly cookie: bigint,
    readonly peerCredentials: PeerCredentials,
    private readonly backlog: number,
  ) {
    super();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isFull(): boolean {
    return this.queue.length > this.backlog;
  }

  ready(): number {
    return this.queue.length > 0 ? POLL.IN : 0;
  }

  /** Queues the server's end of a connection. */
  arrive(end: SocketFile): void {
    this.queue.push(end);
    this.changed();
  }

  override close(): void {
    this.#isClosed = true;
    this.watchers.clear();
    for (const end of this.queue.splice(0)) end.close(false);
  }
}
