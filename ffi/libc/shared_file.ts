// SPDX-License-Identifier: MIT
/** Files that several processes map and lock. The kernel releases both when a process dies. */
import { clearErrno, Errno, errno, unwrap } from "./failed_call.ts";
import { F, libc, MAP, O, PROT } from "./libc.ts";
import { cString } from "../base/c_string.ts";
import { ERRNO } from "./errno.ts";

type Address = NonNullable<Deno.PointerValue>;

/** `struct flock` on LP64: `short l_type, l_whence; off_t l_start, l_len; pid_t l_pid`. */
const FLOCK_BYTES = 32;
/** fcntl.h: l_type. */
const Lock = { READ: 0, WRITE: 1, UNLOCKED: 2 } as const;

/**
 * An open file whose locks belong to this opening and not to the process ("open file description locks", fcntl(2)). The locks
 * exclude other openings in the same process, too. They end when the file is closed *and* no mapping of this opening is left,
 * or when the process dies.
 */
export class SharedFile implements Disposable {
  #closed = false;
  readonly #flock = new DataView(new ArrayBuffer(FLOCK_BYTES));
  readonly #flockAddress = Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.#flock.buffer));

  private constructor(readonly path: string, readonly fd: number) {}

  /** Opens an existing file; undefined if there is no such file. Throws {@link Errno}. */
  static open(path: string): SharedFile | undefined {
    const fd = openFd(path);
    return fd === undefined ? undefined : new SharedFile(path, fd);
  }

  /** Another opening of the same file, even after the file was unlinked. */
  reopened(): SharedFile {
    return SharedFile.open(`/proc/self/fd/${this.fd}`)!;
  }

  /** Locks octets for this opening alone; false if another opening has locked any of them. The octets need not exist. */
  lock(start: number, length: number): boolean {
    return this.#set(F.OFD_SETLK, Lock.WRITE, start, length);
  }

  /** As {@link lock}, but waits until other openings unlock. */
  lockWait(start: number, length: number): void {
    if (!this.#set(F.OFD_SETLKW, Lock.WRITE, start, length)) throw new Errno(`lock ${this.path}`, errno());
  }

  /** Locks octets against {@link lock} by other openings, and not against `lockShared`. */
  lockShared(start: number, length: number): boolean {
    return this.#set(F.OFD_SETLK, Lock.READ, start, length);
  }

  unlock(start: number, length: number): void {
    this.#set(F.OFD_SETLK, Lock.UNLOCKED, start, length);
  }

  /** Whether another opening has locked any of these octets, in either way. */
  isLocked(start: number, length: number): boolean {
    unwrap(this.#call(F.OFD_GETLK, Lock.WRITE, start, length), `query locks of ${this.path}`);
    return this.#flock.getInt16(0, true) !== Lock.UNLOCKED;
  }

  /** Maps `bytes` octets from `offset` on, writable, until the mapping is disposed. */
  map(offset: number, bytes: number): SharedWords {
    const address = this.mapAt(null, offset, bytes, PROT.READ | PROT.WRITE);
    return new SharedWords(address, bytes);
  }

  /** Maps octets of the file: at `address`, replacing the former mapping, or anywhere if `address` is null. */
  mapAt(address: Deno.PointerValue, offset: number, bytes: number, protection: number): Address {
    const flags = MAP.SHARED | (address === null ? 0 : MAP.FIXED);
    return mmap(address, bytes, protection, flags, this.fd, offset, `map ${this.path}`);
  }

  [Symbol.dispose](): void {
    if (!this.#closed) libc().close(this.fd);
    this.#closed = true;
  }

  /** Changes a lock; false if another opening's lock excludes the change. */
  #set(operation: number, type: number, start: number, length: number): boolean {
    if (this.#call(operation, type, start, length) === 0) return true;
    if (errno() === ERRNO.EAGAIN || errno() === ERRNO.EACCES) return false;
    throw new Errno(`lock ${this.path}`, errno());
  }

  #call(operation: number, type: number, start: number, length: number): number {
    this.#flock.setInt16(0, type, true);
    this.#flock.setBigInt64(8, BigInt(start), true);
    this.#flock.setBigInt64(16, BigInt(length), true);
    this.#flock.setInt32(24, 0, true); // these operations need l_pid 0; GETLK overwrites l_pid
    let result: number;
    do result = libc().fcntl(this.fd, operation, this.#flockAddress); while (
      result === -1 && errno() === ERRNO.EINTR
    );
    return result;
  }
}

/** Words of a file that several processes map. Access them with Atomics. */
export class SharedWords implements Disposable {
  readonly words: Int32Array<ArrayBuffer>;

  constructor(readonly address: Address, private readonly bytes: number) {
    this.words = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(address, bytes));
  }

  [Symbol.dispose](): void {
    if (this.words.buffer.detached) return;
    this.words.buffer.transfer(0); // a late access gives undefined, and no SIGSEGV
    libc().munmap(this.address, BigInt(this.bytes));
  }
}

/** Reserves `bytes` octets of address space, for later mappings. */
export function reserveAddresses(bytes: number): Address {
  return mmap(
    null,
    bytes,
    PROT.NONE,
    MAP.PRIVATE | MAP.ANONYMOUS | MAP.NORESERVE,
    -1,
    0,
    `reserve ${bytes} octets`,
  );
}

/** Opens `path` for reading and writing, without blocking; undefined if there is no such file. */
export function openFd(path: string): number | undefined {
  clearErrno(); // finds errno's address before the call that may set errno
  const fd = libc().open(cString(path), O.RDWR | O.CLOEXEC | O.NONBLOCK, 0);
  if (fd === -1 && errno() === ERRNO.ENOENT) return undefined;
  return unwrap(fd, `open ${path}`);
}

function mmap(
  address: Deno.PointerValue,
  bytes: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
  what: string,
): Address {
  const result = libc().mmap(address, BigInt(bytes), protection, flags, fd, BigInt(offset));
  if (Deno.UnsafePointer.value(result) === MAP_FAILED) throw new Errno(what, errno());
  return result!;
}

const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
