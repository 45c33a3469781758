// SPDX-License-Identifier: MIT
/**
 * The embedded Xen's event channels, with the semantics of /dev/xen/evtchn (drivers/xen/evtchn.c). A handle owns ports of its
 * domain. An event on a port is delivered once, through the handle's FIFO, and masks the port until its unmask. An event on a
 * masked port is delivered after the unmask.
 */
import { unwrap } from "../../../../ffi/libc/failed_call.ts";
import { libc } from "../../../../ffi/libc/libc.ts";
import { addressOf } from "../../../../ffi/libc/pointers.ts";
import { cString } from "../../../../ffi/base/c_string.ts";
import {
  EventChannelError,
  type EventChannels,
  type EventChannelsShare,
  PENDING_IN_A_ROW,
} from "../../ports.ts";
import { evtchnLockPath, fifoPath, PORT_WORDS, PORTS } from "../layout.ts";
import { Event, Kind, PortTable, Word } from "./port_table.ts";
import { openFd, SharedFile } from "../../../../ffi/libc/shared_file.ts";

type EmbeddedShare = EventChannelsShare & { kind: "embedded" };

/** The other end of a port, for {@link EmbeddedEventChannels.notify}. */
interface Peer {
  readonly words: Int32Array;
  readonly port: number;
  readonly fifo: number;
}

export class EmbeddedEventChannels implements EventChannels {
  readonly shareable: EmbeddedShare;
  readonly fd: number;
  readonly #handle: number;
  readonly #table: PortTable;
  readonly #lockFile: SharedFile;
  /** The port tables of this domain and of the domains that this handle's ports lead to. */
  readonly #tables = new Map<number, PortTable>();
  /** The other ends by port. An entry is right while the port's generation is that of {@link #seen}. */
  readonly #peers: (Peer | undefined)[] = new Array(PORTS).fill(undefined);
  readonly #seen = new Int32Array(PORTS).fill(-1);
  // Buffers of FIFO reads and writes, at addresses that stay.
  readonly #in = new Uint32Array(PENDING_IN_A_ROW);
  readonly #out = new Uint32Array(1);
  readonly #inAddress = addressOf(this.#in);
  /** The number of ports in {@link #in}, and the index of the one to return next. */
  #count = 0;
  #next = 0;
  readonly #outAddress = addressOf(this.#out);
  #disposed = false;

  /** @param ownership the handle's lock, for the thread that opened the handle; threads that adopt the handle have none */
  private constructor(share: EmbeddedShare, table: PortTable, private readonly ownership?: SharedFile) {
    this.shareable = share;
    this.fd = share.fd;
    this.#handle = share.handle;
    this.#table = table;
    this.#tables.set(share.domid, table);
    this.#lockFile = openLockFile(share.directory);
  }

  /** Opens a handle on the event channels of domain `domid`. Throws {@link EventChannelError}. */
  static open(directory: string, domid: number): EmbeddedEventChannels {
    const table = openTable(directory, domid);
    using lockFile = openLockFile(directory);
    lockFile.lockWait(0, 1); // until the file is closed
    const opened = table.openHandle();
    if (!opened) {
      throw new EventChannelError(`cannot open event channels of domain ${domid}: too many handles`);
    }
    const { handle, lock } = opened;
    // A dead process with this handle number may have left a FIFO.
    const path = fifoPath(directory, domid, handle);
    libc().unlink(cString(path));
    unwrap(libc().mkfifo(cString(path), 0o600), `mkfifo ${path}`);
    const share = { kind: "embedded", directory, domid, handle, fd: openFd(path)! } as const;
    const channels = new EmbeddedEventChannels(share, table, lock);
    channels.#close(table, table.portsOf(handle)); // those of the handle's former owner
    channels.#close(table, table.portsOf("dead"));
    return channels;
  }

  /** Another thread's handle. Disposing the result leaves the handle open. */
  static adopt(share: EmbeddedShare): EmbeddedEventChannels {
    return new EmbeddedEventChannels(share, openTable(share.directory, share.domid));
  }

  bindUnbound(domid: number): number {
    return this.#locked(() => this.#allocate(Kind.UNBOUND, domid, 0));
  }

  bindInterdomain(domid: number, remotePort: number): number {
    const local = this.#locked(() => {
      const remote = this.#peerTable(domid);
      const refuse = (why: string): never => {
        throw new EventChannelError(`cannot bind to port ${remotePort} of domain ${domid}: ${why}`);
      };
      if (!remote) return refuse("there is no such domain");
      if (!Number.isInteger(remotePort) || remotePort < 1 || remotePort >= PORTS) {
        refuse("there is no such port");
      }
      for (const table of [this.#table, remote]) this.#close(table, table.portsOf("dead"));
      const state = remote.get(remotePort, Word.STATE);
      const madeFor = remote.get(remotePort, Word.REMOTE) >>> 16;
      if ((state & 3) !== Kind.UNBOUND || madeFor !== this.#table.domid) {
        refuse(`the port does not wait for domain ${this.#table.domid}`);
      }
      const port = this.#allocate(Kind.INTERDOMAIN, domid, remotePort);
      remote.connect(remotePort, state >>> 2, Kind.INTERDOMAIN, this.#table.domid, port);
      return port;
    });
    // As Xen does: the peer may have notified before anybody was bound (evtchn_bind_interdomain).
    this.#deliver(this.#table.words, local, this.fd);
    return local;
  }

  unbind(port: number): void {
    this.#locked(() => {
      if (!this.#owns(port)) {
        throw new EventChannelError(`cannot unbind port ${port}: the port is not this handle's`);
      }
      this.#disconnect(this.#table, port);
      this.#table.release(port);
      this.#forgetPeer(port);
    });
  }

  notify(port: number): number {
    if (!this.#owns(port)) return -1;
    if (this.#seen[port] !== this.#generation(port)) this.#findPeer(port);
    const peer = this.#peers[port];
    if (peer !== undefined) this.#deliver(peer.words, peer.port, peer.fifo);
    return 0; // as in Xen, an event to nobody is dropped
  }

  pending(): number {
    if (this.#count === 0) {
      this.#count = Math.max(0, libc().hot_read(this.fd, this.#inAddress, this.#in.byteLength)) >> 2;
    }
    while (this.#next < this.#count) {
      const port = this.#in[this.#next++]!;
      if (port < 1 || port >= PORTS) continue;
      Atomics.and(this.#table.words, port * PORT_WORDS + Word.EVENT, ~Event.QUEUED);
      if (this.#owns(port)) return port;
      if (this.#table.get(port, Word.STATE) === (this.#handle << 2 | Kind.CLOSING)) this.#table.free(port);
    }
    this.#next = this.#count = 0;
    return -1;
  }

  unmask(port: number): number {
    if (!this.#owns(port)) return -1;
    const { words } = this.#table;
    const index = port * PORT_WORDS + Word.EVENT;
    while (true) {
      const event = Atomics.load(words, index);
      if ((event & Event.QUEUED) !== 0) return 0; // pending() has not returned the event yet: nothing to unmask
      const again = (event & Event.PENDING) !== 0;
      const next = again ? Event.MASKED | Event.QUEUED : 0;
      if (Atomics.compareExchange(words, index, event, next) !== event) continue;
      return again ? this.#announce(port, this.fd) : 0;
    }
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.ownership) {
      this.#locked(() => this.#close(this.#table, this.#table.portsOf(this.#handle)));
      libc().unlink(cString(fifoPath(this.shareable.directory, this.shareable.domid, this.#handle)));
      libc().close(this.fd);
      this.ownership[Symbol.dispose]();
    }
    for (let port = 1; port < PORTS; port++) this.#forgetPeer(port);
    for (const table of this.#tables.values()) table[Symbol.dispose]();
    this.#lockFile[Symbol.dispose]();
  }

  #owns(port: number): boolean {
    if (!(port >= 1 && port < PORTS)) return false;
    const state = Atomics.load(this.#table.words, port * PORT_WORDS + Word.STATE);
    return state >>> 2 === this.#handle && (state & 3) !== Kind.CLOSING;
  }

  /** Delivers an event: puts the port into the FIFO, or marks a masked port as pending. */
  #deliver(words: Int32Array, port: number, fifo: number): void {
    const index = port * PORT_WORDS + Word.EVENT;
    while (true) {
      const event = Atomics.load(words, index);
      const masked = (event & Event.MASKED) !== 0;
      const next = masked ? event | Event.PENDING : Event.MASKED | Event.QUEUED;
      if (Atomics.compareExchange(words, index, event, next) !== event) continue;
      if (!masked) this.#announce(port, fifo);
      return;
    }
  }

  /** Puts the port into the FIFO; 0, or -1 on failure: nobody reads the FIFO of a dead process, which can fill up. */
  #announce(port: number, fifo: number): number {
    this.#out[0] = port;
    return libc().hot_write(fifo, this.#outAddress, 4) === 4 ? 0 : -1;
  }

  #allocate(kind: number, remoteDomid: number, remotePort: number): number {
    const take = () => this.#table.allocate(this.#handle, kind, remoteDomid, remotePort);
    if (this.#table.gone) throw new EventChannelError(`domain ${this.#table.domid} is gone`);
    const port = take() || (this.#close(this.#table, this.#table.portsOf("dead")), take());
    if (port === 0) {
      throw new EventChannelError(
        `domain ${this.#table.domid} has no event-channel port left of ${PORTS - 1}`,
      );
    }
    return port;
  }

  /** Frees the ports of a handle that closes, or of a dead process. */
  #close(table: PortTable, ports: Iterable<number>): void {
    for (const port of ports) {
      this.#disconnect(table, port);
      table.free(port);
    }
  }

  /** Makes the other end of `port` unbound: it waits for somebody to bind again. */
  #disconnect(table: PortTable, port: number): void {
    const peer = this.#otherEnd(table, port);
    if (peer) peer.table.connect(peer.port, peer.handle, Kind.UNBOUND, table.domid, 0);
  }

  #otherEnd(table: PortTable, port: number): { table: PortTable; port: number; handle: number } | undefined {
    if ((table.get(port, Word.STATE) & 3) !== Kind.INTERDOMAIN) return undefined;
    const remote = table.get(port, Word.REMOTE);
    const [remoteDomid, remotePort] = [remote >>> 16, remote & 0xffff];
    const peer = this.#peerTable(remoteDomid);
    if (!peer || remotePort < 1 || remotePort >= PORTS) return undefined;
    const state = peer.get(remotePort, Word.STATE);
    const pointsBack = peer.get(remotePort, Word.REMOTE) === (table.domid << 16 | port);
    if ((state & 3) !== Kind.INTERDOMAIN || !pointsBack) return undefined;
    return { table: peer, port: remotePort, handle: state >>> 2 };
  }

  /** The current table of domain `domid`; undefined if there is no such domain. */
  #peerTable(domid: number): PortTable | undefined {
    const known = this.#tables.get(domid);
    if (known === this.#table || known && !known.gone) return known;
    if (known) this.#forgetTable(known);
    const table = PortTable.open(this.shareable.directory, domid);
    if (table) this.#tables.set(domid, table);
    return table;
  }

  #forgetTable(table: PortTable): void {
    this.#peers.forEach((peer, port) => peer?.words === table.words && this.#forgetPeer(port));
    this.#tables.delete(table.domid);
    table[Symbol.dispose]();
  }

  #findPeer(port: number): void {
    // Here alone this thread notices ports that another thread has unbound.
    for (let other = 1; other < PORTS; other++) {
      if (this.#peers[other] !== undefined && this.#seen[other] !== this.#generation(other)) {
        this.#forgetPeer(other);
      }
    }
    this.#forgetPeer(port);
    const generation = this.#generation(port); // read before the other end: a later change will be noticed
    const end = this.#otherEnd(this.#table, port);
    const fifo = end && openFd(fifoPath(this.shareable.directory, end.table.domid, end.handle));
    if (end && fifo !== undefined) this.#peers[port] = { words: end.table.words, port: end.port, fifo };
    this.#seen[port] = generation;
  }

  /** The port's generation, which changes with its owner and its other end. */
  #generation(port: number): number {
    return Atomics.load(this.#table.words, port * PORT_WORDS + Word.GENERATION);
  }

  #forgetPeer(port: number): void {
    const peer = this.#peers[port];
    if (peer) libc().close(peer.fifo);
    this.#peers[port] = undefined;
    this.#seen[port] = -1;
  }

  #locked<T>(body: () => T): T {
    this.#lockFile.lockWait(0, 1);
    try {
      return body();
    } finally {
      this.#lockFile.unlock(0, 1);
    }
  }
}

function openTable(directory: string, domid: number): PortTable {
  const table = PortTable.open(directory, domid);
  if (!table) throw new EventChannelError(`cannot open event channels: ${directory} has no domain ${domid}`);
  return table;
}

function openLockFile(directory: string): SharedFile {
  const file = SharedFile.open(evtchnLockPath(directory));
  if (!file) throw new EventChannelError(`cannot open event channels: ${directory} is no embedded Xen's`);
  return file;
}
