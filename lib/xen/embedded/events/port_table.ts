// SPDX-License-Identifier: MIT
/**
 * A domain's table of event-channel ports, shared by its processes and their peers: four words a port in a file. Binding and
 * unbinding take the lock `evtchn.lock`. Events need no lock, only Atomics.
 */
import { EVTCHN_FILE_BYTES, evtchnPath, GONE, PORT_WORDS, PORTS } from "../layout.ts";
import { SharedFile, type SharedWords } from "../../../../ffi/libc/shared_file.ts";

/** The words of a port. */
export const Word = {
  /** The number of the port's handle, times 4, plus a {@link Kind}; 0 for a free port. */
  STATE: 0,
  /** The domain at the other end, times 65536, plus the port there. */
  REMOTE: 1,
  /** {@link Event} bits. */
  EVENT: 2,
  /** Counts changes of the first two words: tells whether facts derived from them still hold. */
  GENERATION: 3,
} as const;

export const Kind = {
  FREE: 0,
  /** Waits for the domain of REMOTE to bind to the port. */
  UNBOUND: 1,
  INTERDOMAIN: 2,
  /** Unbound while the port's number is in the FIFO; free once the number is read. */
  CLOSING: 3,
} as const;

export const Event = {
  /** The owner has not unmasked the port since its last event. */
  MASKED: 1,
  /** Another event came while the port was masked; the unmask delivers it. */
  PENDING: 2,
  /** The port's number is in the FIFO, where it is at most once: the FIFO never fills up. */
  QUEUED: 4,
} as const;

/** The handles of a domain have the numbers from 1 to this. */
export const HANDLES = 255;
/** The word of the nonexistent port 0 that holds where the search for a free port goes on. */
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

  /** Maps the table of domain `domid`; undefined if there is no such domain. */
  static open(directory: string, domid: number): PortTable | undefined {
    const file = SharedFile.open(evtchnPath(directory, domid));
    return file && new PortTable(domid, file, file.map(0, EVTCHN_FILE_BYTES));
  }

  /** Whether the domain has been released. */
  get gone(): boolean {
    return Atomics.load(this.words, 0) === GONE;
  }

  /** The index in {@link words} of a port's {@link Word}. */
  static index(port: number, word: number): number {
    return port * PORT_WORDS + word;
  }

  get(port: number, word: number): number {
    return Atomics.load(this.words, PortTable.index(port, word));
  }

  /**
   * Takes a free port for `handle`; 0 if there is none. The port that was freed last comes last: a peer that is just notifying a
   * port's former owner must not reach a new owner.
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

  /** Sets a port's owner, kind and other end. */
  connect(port: number, handle: number, kind: number, remoteDomid: number, remotePort: number): void {
    this.#set(port, Word.REMOTE, remoteDomid << 16 | remotePort);
    this.#set(port, Word.STATE, handle << 2 | kind);
    Atomics.add(this.words, PortTable.index(port, Word.GENERATION), 1);
  }

  /** Unbinds `port`. A port whose number is still in the FIFO is not free yet. */
  release(port: number): void {
    const handle = this.get(port, Word.STATE) >>> 2;
    const queued = (this.get(port, Word.EVENT) & Event.QUEUED) !== 0;
    this.connect(port, queued ? handle : 0, queued ? Kind.CLOSING : Kind.FREE, 0, 0);
  }

  /** Frees `port`, whose FIFO is gone or has been read. */
  free(port: number): void {
    this.connect(port, 0, Kind.FREE, 0, 0);
  }

  /** The ports of `handle`, or of all handles of dead processes. */
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

  /** Takes an unused handle until `lock` is closed; undefined if all handles are in use. */
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
