// SPDX-License-Identifier: MIT
/**
 * The C library as its headers declare it: the constants and functions that xsnd uses, mostly system calls that Deno does not
 * offer. Widths and constants are those that x86_64 and aarch64 Linux share; flags that differ between the two (O_DIRECTORY
 * and its neighbours) are left out. The other files of this folder hold the classes and functions over this table.
 */
import { lazyLibrary } from "../base/library.ts";

/** signal.h: the number, and the size of a `struct sigaction` at most, in octets. */
export const [SIGTSTP, SIGACTION_OCTETS] = [20, 256];

/** poll.h: events and revents. */
export const POLL = { IN: 0x1, OUT: 0x4, ERR: 0x8, HUP: 0x10, NVAL: 0x20 } as const;
/** fcntl.h: open flags. */
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  NOCTTY: 0o400,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
} as const;
/** fcntl.h: commands. */
export const F = {
  DUPFD_CLOEXEC: 1030,
  SETFL: 4,
  SETPIPE_SZ: 1031,
  OFD_GETLK: 36,
  OFD_SETLK: 37,
  OFD_SETLKW: 38,
} as const;
/** sys/mman.h: protection, mapping flags, and those of memfd_create and madvise. */
export const PROT = { NONE: 0, READ: 1, WRITE: 2 } as const;
export const MAP = { SHARED: 0x1, PRIVATE: 0x2, FIXED: 0x10, ANONYMOUS: 0x20, NORESERVE: 0x4000 } as const;
export const MFD = { CLOEXEC: 0x1 } as const;
export const MADV = { DONTNEED: 4 } as const;
/** sys/eventfd.h. */
export const EFD = { NONBLOCK: O.NONBLOCK, CLOEXEC: O.CLOEXEC } as const;
/** sys/timerfd.h: creation flags. */
export const TFD = { NONBLOCK: O.NONBLOCK, CLOEXEC: O.CLOEXEC } as const;
/** time.h: clocks. */
export const CLOCK = { MONOTONIC: 1, PROCESS_CPUTIME_ID: 2 } as const;
/** sched.h: policies. */
export const SCHED = { FIFO: 1, RESET_ON_FORK: 0x40000000 } as const;
/** sys/socket.h: address families, socket types and flags, as Linux has them everywhere but on MIPS. */
export const AF = { UNIX: 1 } as const;
export const SOCK = { DGRAM: 2, CLOEXEC: O.CLOEXEC } as const;
export const MSG = { DONTWAIT: 0x40, NOSIGNAL: 0x4000 } as const;
/** sys/socket.h: the level of a socket's options, and its options, as Linux has them on x86_64 and aarch64. */
export const SOL_SOCKET = 1;
export const SO = { PEERCRED: 17, COOKIE: 57 } as const;
/** unistd.h: lseek. */
export const SEEK = { SET: 0, CUR: 1 } as const;
/** unistd.h: access modes. */
export const ACCESS = { F_OK: 0, X_OK: 1, W_OK: 2, R_OK: 4 } as const;

/** The symbol table; each key is the C name unless the entry has a `name`. */
// deno-fmt-ignore
export const libcSymbols = {
  __errno_location: { parameters: [], result: "pointer" },
  strerror: { parameters: ["i32"], result: "pointer" }, // errnum
  free: { parameters: ["pointer"], result: "void" }, // ptr

  eventfd: { parameters: ["u32", "i32"], result: "i32" }, // initval, flags
  timerfd_create: { parameters: ["i32", "i32"], result: "i32" }, // clockid, flags
  timerfd_settime: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" }, // fd, flags, new, old
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" }, // clockid, tp

  // open and fcntl are variadic in C; integer and pointer arguments travel alike on both architectures
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" }, // pathname, flags, mode
  fcntl: { parameters: ["i32", "i32", "i64"], result: "i32" }, // fd, op, arg
  access: { parameters: ["buffer", "i32"], result: "i32" }, // path, mode
  close: { parameters: ["i32"], result: "i32" }, // fd
  dup2: { parameters: ["i32", "i32"], result: "i32" }, // oldfd, newfd
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" }, // fd, buf, count
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" }, // fd, buf, count
  pipe2: { parameters: ["buffer", "i32"], result: "i32" }, // pipefd[2], flags
  mkfifo: { parameters: ["buffer", "u32"], result: "i32" }, // pathname, mode
  unlink: { parameters: ["buffer"], result: "i32" }, // pathname
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" }, // fd, offset, whence
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

  getuid: { parameters: [], result: "u32" },
  getgid: { parameters: [], result: "u32" },
  umask: { parameters: ["u32"], result: "u32" }, // mask
  getgrnam: { parameters: ["buffer"], result: "pointer" }, // name
  gettid: { parameters: [], result: "i32", optional: true }, // glibc 2.30
  kill: { parameters: ["i32", "i32"], result: "i32" }, // pid, sig
  raise: { parameters: ["i32"], result: "i32" }, // sig
  sigaction: { parameters: ["i32", "buffer", "buffer"], result: "i32" }, // sig, act, oldact
  sched_setscheduler: { parameters: ["i32", "i32", "buffer"], result: "i32" }, // pid (0: this thread), policy, param

  // The address of a function: see functionWithoutEffect()
  address_of_gnu_get_libc_version: { name: "gnu_get_libc_version", type: "pointer" },

  // `_async`: a thread of Deno's pool makes the call, and the main thread goes on. errno is lost.
  read_async: { name: "read", parameters: ["i32", "buffer", "usize"], result: "isize", nonblocking: true }, // fd, buf, count
  poll_async: { name: "poll", parameters: ["buffer", "u64", "i32"], result: "i32", nonblocking: true }, // fds, nfds, timeout (ms)

  // `hot_`: 32-bit sizes and results where C has 64-bit ones, so that V8's fast call passes small integers and allocates
  // no BigInt. Right on LP64: an unsigned 32-bit argument is zero-extended into its register, and the low half of a result
  // below 2^31 is the result (-1 included).
  hot_poll: { name: "poll", parameters: ["pointer", "u32", "i32"], result: "i32" },
  hot_read: { name: "read", parameters: ["i32", "pointer", "u32"], result: "i32" },
  hot_write: { name: "write", parameters: ["i32", "pointer", "u32"], result: "i32" },
  // An address that the same optimized function computes as a BigInt travels as a 64-bit integer.
  hot_memcpy: { name: "memcpy", parameters: ["usize", "usize", "u32"], result: "void" },
  hot_write_at: { name: "write", parameters: ["i32", "usize", "u32"], result: "i32" },
  hot_clock_gettime: { name: "clock_gettime", parameters: ["i32", "pointer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The C library's functions. The first call loads the library. */
export const libc = lazyLibrary(
  { soname: "libc.so.6", debianPackage: "libc6", variable: "XSND_LIBC" },
  libcSymbols,
);
