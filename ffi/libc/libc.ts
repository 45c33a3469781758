// SPDX-License-Identifier: MIT
/**
 * The C library: system calls that Deno does not offer, and errno. Widths and constants are those that x86_64
 * and aarch64 Linux share; flags that differ between the two (O_DIRECTORY and its neighbours) are left out.
 */
import { errnoName } from "./errno.ts";
import { lazyLibrary } from "../base/library.ts";

export { errnoName };

/** poll.h: events and revents. */
export const POLL = { IN: 0x1, PRI: 0x2, OUT: 0x4, ERR: 0x8, HUP: 0x10, NVAL: 0x20, RDHUP: 0x2000 } as const;
/** fcntl.h: open flags. */
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  NOCTTY: 0o400,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
} as const;
/** fcntl.h: commands, and FD_CLOEXEC. */
export const F = {
  DUPFD_CLOEXEC: 1030,
  GETFD: 1,
  SETFD: 2,
  FD_CLOEXEC: 1,
  GETFL: 3,
  SETFL: 4,
  SETPIPE_SZ: 1031,
  GETPIPE_SZ: 1032,
  OFD_GETLK: 36,
  OFD_SETLK: 37,
  OFD_SETLKW: 38,
} as const;
/** sys/mman.h: protection, mapping and locking flags, and that of memfd_create. */
export const PROT = { NONE: 0, READ: 1, WRITE: 2 } as const;
export const MAP = {
  SHARED: 0x1,
  PRIVATE: 0x2,
  FIXED: 0x10,
  ANONYMOUS: 0x20,
  NORESERVE: 0x4000,
  POPULATE: 0x8000,
  FIXED_NOREPLACE: 0x100000,
} as const;
export const MFD = { CLOEXEC: 0x1 } as const;
export const MADV = { DONTNEED: 4 } as const;
export const MCL = { CURRENT: 1, FUTURE: 2, ONFAULT: 4 } as const;
/** sys/eventfd.h. */
export const EFD = { SEMAPHORE: 1, NONBLOCK: O.NONBLOCK, CLOEXEC: O.CLOEXEC } as const;
/** sys/timerfd.h: creation flags, and the one for timerfd_settime. */
export const TFD = { NONBLOCK: O.NONBLOCK, CLOEXEC: O.CLOEXEC, TIMER_ABSTIME: 1 } as const;
/** time.h: clocks, and the flag of clock_nanosleep. */
export const CLOCK = { REALTIME: 0, MONOTONIC: 1, TIMER_ABSTIME: 1 } as const;
/** sched.h: policies. */
export const SCHED = { OTHER: 0, FIFO: 1, RR: 2, RESET_ON_FORK: 0x40000000 } as const;
/** sys/resource.h: resources. */
export const RLIMIT = { NOFILE: 7, MEMLOCK: 8, RTPRIO: 14 } as const;
/** sys/socket.h: address families, socket types and flags, as Linux has them everywhere but on MIPS. */
export const AF = { UNIX: 1 } as const;
export const SOCK = { DGRAM: 2, CLOEXEC: O.CLOEXEC } as const;
export const MSG = { DONTWAIT: 0x40, NOSIGNAL: 0x4000 } as const;
/** unistd.h: lseek. */
export const SEEK = { CUR: 1 } as const;
/** sys/socket.h: the level of options of sockets, and options of it, as Linux has them on x86_64 and aarch64. */
export const SOL_SOCKET = 1;
export const SO = { PEERCRED: 17, COOKIE: 57 } as const;
/** unistd.h: access modes. */
export const ACCESS = { F_OK: 0, X_OK: 1, W_OK: 2, R_OK: 4 } as const;

/** The symbol table; each key is the C name unless it says `name`. */
// deno-fmt-ignore
export const libcSymbols = {
  __errno_location: { parameters: [], result: "pointer" },
  strerror: { parameters: ["i32"], result: "pointer" }, // errnum
  free: { parameters: ["pointer"], result: "void" }, // ptr
  memcpy: { parameters: ["pointer", "pointer", "usize"], result: "pointer" }, // dest, src, n
  memset: { parameters: ["pointer", "i32", "usize"], result: "pointer" }, // s, c, n

  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" }, // fds, nfds, timeout (ms)
  ppoll: { parameters: ["buffer", "u64", "buffer", "pointer"], result: "i32" }, // fds, nfds, tmo_p, sigmask
  eventfd: { parameters: ["u32", "i32"], result: "i32" }, // initval, flags
  timerfd_create: { parameters: ["i32", "i32"], result: "i32" }, // clockid, flags
  timerfd_settime: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" }, // fd, flags, new, old
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" }, // clockid, tp
  clock_nanosleep: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" }, // clockid, flags, t, remain

  // open, fcntl and ioctl are variadic in C; integer and pointer arguments travel alike on both architectures
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" }, // pathname, flags, mode
  fcntl: { parameters: ["i32", "i32", "i64"], result: "i32" }, // fd, op, arg
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" }, // fd, op, argp
  access: { parameters: ["buffer", "i32"], result: "i32" }, // path, mode
  close: { parameters: ["i32"], result: "i32" }, // fd
  dup2: { parameters: ["i32", "i32"], result: "i32" }, // oldfd, newfd
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" }, // fd, buf, count
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" }, // fd, buf, count
  pipe2: { parameters: ["buffer", "i32"], result: "i32" }, // pipefd[2], flags
  mkfifo: { parameters: ["buffer", "u32"], result: "i32" }, // pathname, mode
  unlink: { parameters: ["buffer"], result: "i32" }, // pathname
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" }, // fd, offset, whence
  ftruncate: { parameters: ["i32", "i64"], result: "i32" }, // fd, length
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" }, // name, flags
  fstat: { parameters: ["i32", "buffer"], result: "i32", optional: true }, // fd, statbuf; glibc 2.33

  socket: { parameters: ["i32", "i32", "i32"], result: "i32" }, // domain, type, protocol
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" }, // sockfd, buf, len, flags, addr, addrlen
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" }, // sockfd, addr, addrlen
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" }, // sockfd, level, optname, optval, optlen

  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" }, // addr, length, prot, flags, fd, offset
  munmap: { parameters: ["pointer", "usize"], result: "i32" }, // addr, length
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" }, // addr, length, advice
  malloc_trim: { parameters: ["usize"], result: "i32", optional: true }, // pad; glibc's own
  mlockall: { parameters: ["i32"], result: "i32" }, // flags

  getpid: { parameters: [], result: "i32" },
  getuid: { parameters: [], result: "u32" },
  getgid: { parameters: [], result: "u32" },
  umask: { parameters: ["u32"], result: "u32" }, // mask
  getgrnam: { parameters: ["buffer"], result: "pointer" }, // name
  gettid: { parameters: [], result: "i32", optional: true }, // glibc 2.30
  kill: { parameters: ["i32", "i32"], result: "i32" }, // pid, sig
  sched_setscheduler: { parameters: ["i32", "i32", "buffer"], result: "i32" }, // pid (0: this thread), policy, param
  getrlimit: { parameters: ["u32", "buffer"], result: "i32" }, // resource, rlim
  setrlimit: { parameters: ["u32", "buffer"], result: "i32" }, // resource, rlim

  // The address of a function: see functionWithoutEffect()
  address_of_gnu_get_libc_version: { name: "gnu_get_libc_version", type: "pointer" },

  // Variants that wait on a thread of Deno's pool, for the main thread. errno is lost after them.
  read_async: { name: "read", parameters: ["i32", "buffer", "usize"], result: "isize", nonblocking: true },
  poll_async: { name: "poll", parameters: ["buffer", "u64", "i32"], result: "i32", nonblocking: true },

  // Hot aliases: 32-bit sizes and results where C has 64-bit ones, so that V8's fast call passes small integers and
  // allocates no BigInt. Right on LP64: an unsigned 32-bit argument is zero-extended into its register, and the
  // low half of a result below 2^31 is the result (-1 included).
  hot_poll: { name: "poll", parameters: ["pointer", "u32", "i32"], result: "i32" },
  hot_read: { name: "read", parameters: ["i32", "pointer", "u32"], result: "i32" },
  hot_write: { name: "write", parameters: ["i32", "pointer", "u32"], result: "i32" },
  // Addresses as BigInts that are computed in the same optimized function: they travel as 64-bit integers.
  hot_memcpy: { name: "memcpy", parameters: ["usize", "usize", "u32"], result: "void" },
  hot_write_at: { name: "write", parameters: ["i32", "usize", "u32"], result: "i32" },
  hot_memset: { name: "memset", parameters: ["pointer", "i32", "u32"], result: "void" },
  hot_clock_gettime: { name: "clock_gettime", parameters: ["i32", "pointer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The C library's functions; loaded on the first call. */
export const libc = lazyLibrary(
  { soname: "libc.so.6", debianPackage: "libc6", variable: "XSND_LIBC" },
  libcSymbols,
);

let errnoCell: Int32Array | undefined;

/** This thread's errno as an array of one; a worker is a thread and a module instance of its own. */
function errnoLocation(): Int32Array {
  return errnoCell ??= new Int32Array(
    Deno.UnsafePointerView.getArrayBuffer(libc().__errno_location()!, Int32Array.BYTES_PER_ELEMENT),
  );
}

/**
 * errno of this thread: right straight after a *synchronous* FFI call that failed, meaningless after a
 * `nonblocking` one. Looking it up for the first time calls into libc, so a handle class that will need it calls
 * {@link clearErrno} before its first call.
 */
export function errno(): number {
  return errnoLocation()[0];
}

/** Sets errno to 0, for calls that report failure through errno alone. */
export function clearErrno(): void {
  errnoLocation()[0] = 0;
}

/** What the C library says of an errno value, whichever its sign: `"No such file or directory"`. */
export function strerror(errno: number): string {
  return Deno.UnsafePointerView.getCString(libc().strerror(Math.abs(errno))!);
}

/** A C call that failed, with its errno. */
export class Errno extends Error {
  override name = "Errno";
  /** errno's name, e.g. `"ENOENT"`. */
  readonly code: string;
  /** @param call what was tried and on what, e.g. `open /dev/xen/evtchn` */
  constructor(readonly call: string, readonly errno: number, options?: ErrorOptions) {
    const code = errnoName(errno);
    super(`${call}: ${strerror(errno)} (${code})`, options);
    this.code = code;
  }
}

/** Gives back the result of a call that returns -1 on failure, or throws its errno as {@link Errno}. */
export function unwrap<T extends number | bigint>(result: T, call: string): T {
  if (result < 0) throw new Errno(call, errno());
  return result;
}

/** What each pointer of {@link addressOf} points into. */
const pointedInto = new WeakMap<NonNullable<Deno.PointerValue>, ArrayBuffer>();

/**
 * The address of a (non-empty) typed array's memory; right for as long as the pointer itself is kept, and the buffer is not
 * detached. (`UnsafePointer.offset` alone keeps no buffer alive.) V8 keeps small typed arrays in its moving heap until
 * someone asks for their `buffer`, hence the detour.
 */
export function addressOf(view: ArrayBufferView<ArrayBuffer>): NonNullable<Deno.PointerValue> {
  const pointer = Deno.UnsafePointer.offset(Deno.UnsafePointer.of(view.buffer)!, view.byteOffset)!;
  pointedInto.set(pointer, view.buffer);
  return pointer;
}

/**
 * The address of a C function that takes nothing, has no effect and returns a constant, to be a C library's callback
 * that is to do nothing, whatever its type. Deno cannot make a variadic callback, and a JavaScript function may
 * not be called on a foreign thread. In the calling conventions of x86_64 and aarch64 Linux alike the caller owns all
 * arguments, and ignores a result that it did not ask for.
 */
export function functionWithoutEffect(): NonNullable<Deno.PointerValue> {
  return libc().address_of_gnu_get_libc_version as NonNullable<Deno.PointerValue>;
}

/**
 * Awaits a `nonblocking` call while `memory` (its buffers) stays reachable: Deno passes the pool thread bare
 * addresses, so a buffer that nothing refers to any more may be collected in the middle of the call.
 */
export async function whileAlive<T>(call: Promise<T>, ...memory: unknown[]): Promise<T> {
  try {
    return await call;
  } finally {
    memory.length = 0;
  }
}

/** An eventfd: a counter that makes a file descriptor readable. Calls on it allocate nothing. */
export class EventFd implements Disposable {
  #fd: number;
  readonly #word = new BigUint64Array(1);
  readonly #one = new BigUint64Array([1n]);
  readonly #wordAddress = addressOf(this.#word);
  readonly #oneAddress = addressOf(this.#one);

  /** A new one, or another thread's view of one that exists (only one of them is to be disposed). */
  constructor(fd?: number) {
    this.#fd = fd ?? unwrap(libc().eventfd(0, EFD.CLOEXEC | EFD.NONBLOCK), "eventfd");
  }

  get fd(): number {
    return this.#fd;
  }

  /** Adds one, which wakes whoever polls it. The counter cannot overflow in practice (2^64 - 2). */
  signal(): void {
    libc().hot_write(this.#fd, this.#oneAddress, 8);
  }

  /** Sets the counter back to 0, so that {@link fd} is not readable any more; true if it was. */
  drain(): boolean {
    return libc().hot_read(this.#fd, this.#wordAddress, 8) === 8;
  }

  [Symbol.dispose](): void {
    if (this.#fd === -1) return;
    libc().close(this.#fd);
    this.#fd = -1;
  }
}

/**
 * CLOCK_MONOTONIC in µs, as a 32-bit number that wraps: only differences mean something, taken with `| 0`, of instants that are
 * less than half an hour apart. Whole numbers are not objects to V8, as others are on their way from call to call.
 */
export class MicrosClock {
  readonly #time = new BigInt64Array(2); // struct timespec { s, ns }
  readonly #words = new Int32Array(this.#time.buffer);
  readonly #address = addressOf(this.#time);

  /** Allocates nothing. */
  now(): number {
    libc().hot_clock_gettime(CLOCK.MONOTONIC, this.#address);
    return wrappedMicros(this.#words[0], this.#words[2]);
  }
}

/** A `struct timespec` of CLOCK_MONOTONIC as {@link MicrosClock} has it. */
export function wrappedMicros(seconds: number, nanoseconds: number): number {
  return Math.imul(seconds, 1_000_000) + ((nanoseconds / 1000) | 0) | 0;
}

/** A timerfd on CLOCK_MONOTONIC. */
export class TimerFd implements Disposable {
  #fd: number;
  readonly #spec = new BigInt64Array(4); // itimerspec: interval {s, ns}, value {s, ns}
  readonly #word = new BigUint64Array(1);
  readonly #wordAddress = addressOf(this.#word);

  constructor() {
    this.#fd = unwrap(libc().timerfd_create(CLOCK.MONOTONIC, TFD.CLOEXEC | TFD.NONBLOCK), "timerfd_create");
  }

  get fd(): number {
    return this.#fd;
  }

  /**
   * First expiry `firstNs` nanoseconds from now, then every `intervalNs` (0: once). `firstNs` 0 disarms.
   * Not for the hot path: it makes BigInts.
   */
  arm(firstNs: number, intervalNs = 0): void {
    this.#set(0, firstNs, intervalNs);
  }

  /** As {@link arm}, with the first expiry at an instant of CLOCK_MONOTONIC. */
  armAt(instantNs: number, intervalNs = 0): void {
    this.#set(TFD.TIMER_ABSTIME, instantNs, intervalNs);
  }

  #set(flags: number, firstNs: number, intervalNs: number): void {
    this.#spec[0] = BigInt(Math.floor(intervalNs / 1e9));
    this.#spec[1] = BigInt(Math.floor(intervalNs % 1e9));
    this.#spec[2] = BigInt(Math.floor(firstNs / 1e9));
    this.#spec[3] = BigInt(Math.floor(firstNs % 1e9));
    unwrap(libc().timerfd_settime(this.#fd, flags, this.#spec, null), "timerfd_settime");
  }

  /** Makes {@link fd} unreadable until the next expiry; true if it had expired. Allocates nothing. */
  drain(): boolean {
    return libc().hot_read(this.#fd, this.#wordAddress, 8) === 8;
  }

  [Symbol.dispose](): void {
    if (this.#fd === -1) return;
    libc().close(this.#fd);
    this.#fd = -1;
  }
}

/** A fixed-capacity array of `struct pollfd` and the calls that wait on it. */
export class PollSet {
  readonly #fds: Int32Array<ArrayBuffer>;
  readonly #events: Int16Array<ArrayBuffer>;
  readonly #address: NonNullable<Deno.PointerValue>;
  #length = 0;

  constructor(readonly capacity: number) {
    this.#fds = new Int32Array(capacity * 2); // { int fd; short events; short revents; }
    this.#events = new Int16Array(this.#fds.buffer);
    this.#address = addressOf(this.#fds);
  }

  get length(): number {
    return this.#length;
  }

  /** Forgets all entries. */
  clear(): void {
    this.#length = 0;
  }

  /** Adds a descriptor (a negative one is ignored by poll); returns its index for {@link revents}. */
  add(fd: number, events: number): number {
    if (this.#length === this.capacity) throw new RangeError(`a PollSet of ${this.capacity} is full`);
    const index = this.#length++;
    this.#fds[index * 2] = fd;
    this.setEvents(index, events);
    return index;
  }

  setEvents(index: number, events: number): void {
    this.#events[index * 4 + 2] = events;
    this.#events[index * 4 + 3] = 0;
  }

  /** Has poll(2) take no notice of entry `index`, until {@link clear}. */
  ignore(index: number): void {
    this.#fds[index * 2] = -1;
    this.setEvents(index, 0);
  }

  /** What the last wait found for entry `index`: `POLL.*` bits. */
  revents(index: number): number {
    return this.#events[index * 4 + 3];
  }

  /** Blocks this thread for up to `timeoutMs` (-1: for ever); number of ready entries, -1 on error (see errno). */
  wait(timeoutMs: number): number {
    return libc().hot_poll(this.#address, this.#length, timeoutMs);
  }

  /** As {@link wait}, but on another thread: this one's event loop goes on. */
  waitAsync(timeoutMs: number): Promise<number> {
    return whileAlive(libc().poll_async(this.#fds, BigInt(this.#length), timeoutMs), this);
  }
}
