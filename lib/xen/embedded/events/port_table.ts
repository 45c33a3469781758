// SPDX-License-Identifier: MIT
/**
 * A domain's event-channel ports, as its processes and their peers see them: four words a port in a shared file.
 * Whoever binds or unbinds holds the lock on `evtchn.lock`; events themselves need none, only Atomics.
 */
import { EVTCHN_FILE_BYTES, evtchnPath, GONE, PORT_WORDS, PORTS } from "../layout.ts";
import { SharedFile, type SharedWords } from "../shared_file.ts";

/** The words of a port. */
export const Word = {
  /** Number of the handle that has the port, times 4, plus a {@link Kind}; 0 if the port is free. */
  STATE: 0,
  /** The domain at the other end, times 65536, plus its port. */
  REMOTE: 1,
  /** {@link Event} bits. */
  EVENT: 2,
  /** Counts changes of the first two, so that what was derived from them can be checked. */
  GENERATION: 3,
} as const;

export const Kind = {
  FREE: 0,
  /** Waits for REMOTE's domain to bind to it. */
  UNBOUND: 1,
  INTERDOMAIN: 2,
  /** Unbound while its number was on its way through the FIFO; free once it has been read. */
  CLOSING: 3,
} as const;

export const Event = {
  /** An event was put into the FIFO, and the owner has not unmasked the port since. */
  MASKED: 1,
  /** Another event came while the port was masked. */
  PENDING: 2,
  /** The port's number is in the FIFO. It is there at most once, so the FIFO never fills up. */
  QUEUED: 4,
} as const;

/** Handles of a domain: 1 to this. */
export const HANDLES = 255;
/** Word of port 0, which does not exist, where the search for a free port goes on. */
const CURSOR = 1;

export class PortTable implements Disposable {
  readonly words: Int32Array<ArrayBuffer>;

  private constructor(
    readonly domid: number,
    private readonly file: SharedFile,
    private readonly mapped: SharedWords,
  ) {
    this.words = mapped.words;
  }

  /** The table of domain `domid`; undefined if there is no such domain. */
  static open(directory: string, domid: number): PortTable | undefined {
    const file = SharedFile.open(evtchnPath(directory, domid));
    return file && new PortTable(domid, file, file.map(0, EVTCHN_FILE_BYTES));
  }

  /** Whether the domain was released since the table was opened. */
  get gone(): boolean {
    return Atomics.load(this.words, 0) === GONE;
  }

  /** Where {@link Event} bits of `port` are in {@link words}, and so on. */
  static index(port: number, word: number): number {
    return port * PORT_WORDS + word;
  }

  get(port: number, word: number): number {
    return Atomics.load(this.words, PortTable.index(port, word));
  }

  /**
   * Takes a free port for `handle`; 0 if there is none. The one that was given up last comes last: a peer that is just
   * notifying its former owner must not meet a new one.
   */
  allocate(handle: number, kind: number, remoteDomid: number, remotePort: number): number {
    const start = Atomics.load(this.words, CURSOR);
    for (let step = 0; step < PORTS - 1; step++) {
      const port = 1 + (start + step) % (PORTS - 1);
      if (this.get(port, Word.STATE) !== Kind.FREE) continue;
      Atomics.store(this.words, CURSOR, port);
      this.#set(port, Word.EVENT, 0);
      this.connect(port, handle, kind, remoteDomid, remotePort);
      return port;
    }
    return 0;
  }

  /** Says what is at the other end of `port`. */
  connect(port: number, handle: number, kind: number, remoteDomid: number, remotePort: number): void {
    this.#set(port, Word.REMOTE, remoteDomid << 16 | remotePort);
    this.#set(port, Word.STATE, handle << 2 | kind);
    Atomics.add(this.words, PortTable.index(port, Word.GENERATION), 1);
  }

  /** Gives `port` up; its number may still be in the FIFO, and then it is not free yet. */
  release(port: number): void {
    const handle = this.get(port, Word.STATE) >>> 2;
    const queued = (this.get(port, Word.EVENT) & Event.QUEUED) !== 0;
    this.connect(port, queued ? handle : 0, queued ? Kind.CLOSING : Kind.FREE, 0, 0);
  }

  /** Gives `port` up whose FIFO is gone or has been read. */
  free(port: number): void {
    this.connect(port, 0, Kind.FREE, 0, 0);
  }

  /** The ports that `handle` has, or that any handle of a process that died has. */
  *portsOf(handle: number | "dead"): Generator<number> {
    for (let port = 1; port < PORTS; port++) {
      const owner = this.get(port, Word.STATE) >>> 2;
      if (owner !== 0 && (handle === "dead" ? !this.isOpen(owner) : owner === handle)) yield port;
    }
  }

  /** Whether a living process has the handle open. */
  isOpen(handle: number): boolean {
    return this.file.isLocked(handle, 1);
  }

  /** Takes an unused handle, until the returned file is closed; undefined if all are in use. */
  openHandle(): { handle: number; lock: SharedFile } | undefined {
    const lock = this.file.reopened();
    for (let handle = 1; handle <= HANDLES; handle++) {
      if (lock.lock(handle, 1)) return { handle, lock };
    }
    lock[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.mapped[Symbol.dispose]();
    this.file[Symbol.dispose]();
  }

  #set(port: number, word: number, value: number): void {
    Atomics.store(this.words, PortTable.index(port, word), value);
  }
}
