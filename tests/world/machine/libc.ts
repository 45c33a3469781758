// SPDX-License-Identifier: MIT
/**
 * The C library of the virtual machine. Descriptors, clocks and poll(2) are virtual, and belong to the process whose code runs.
 * Memory is real: memcpy, mmap and munmap are the real library's.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { AF, CLOCK, type libcSymbols, POLL, SO } from "../../../ffi/libc/libc.ts";
import { setUmask, userOf } from "./credentials.ts";
import { EventFile, type OpenFile, TimerFile } from "./files.ts";
import { currentThread, type Process, type Thread } from "./process.ts";
import type { FileNode } from "./file_tree.ts";
import { RegularFile } from "./regular_file.ts";
import { openAt } from "./virtual_files.ts";
import { ListeningFile, SocketFile } from "./socket_file.ts";

type Pointer = NonNullable<Deno.PointerValue>;
type Libc = Deno.DynamicLibrary<typeof libcSymbols>["symbols"];

/** Called before each memcpy(3) with both addresses: a hook for whoever watches mapped memory. */
export interface MemoryWatch {
  copied(to: bigint, from: bigint, length: number): void;
}

/** Maps regular files. */
export interface FileMapper {
  /** Maps the first `bytes` octets of a file, shared. Returns the address. */
  map(process: Process, node: FileNode, bytes: number): number;
  /** Ends the mapping at `address`; false if there is none. */
  unmap(address: number): boolean;
}

const errnoWord = new Int32Array(new ArrayBuffer(4));
const errnoPointer = Deno.UnsafePointer.of(errnoWord);

/** Stores errno and returns -1, as a system call that fails. */
export function fails(errno: number): -1 {
  errnoWord[0] = errno;
  return -1;
}

/** The platform's own function: what the machine itself looks at is no view of production code (see `xen/address_space.ts`). */
const bufferOver = Deno.UnsafePointerView.getArrayBuffer;

const memoryAt = new WeakMap<Pointer, ArrayBuffer>();

/** The real memory of `bytes` octets behind a pointer. One view a pointer, as hot paths use one pointer again and again. */
export function memoryOf(pointer: Pointer, bytes: number): Uint8Array<ArrayBuffer> {
  let buffer = memoryAt.get(pointer);
  if (buffer === undefined || buffer.byteLength < bytes) {
    buffer = bufferOver(pointer, bytes);
    memoryAt.set(pointer, buffer);
  }
  return new Uint8Array(buffer, 0, bytes);
}

const MAP_FAILED = Deno.UnsafePointer.create(0xffff_ffff_ffff_ffffn);

/** A thread that waits in poll(2), until one of `files` is ready or the time has come. */
class Sleep {
  readonly #forget: (() => void)[] = [];
  #isOver = false;

  constructor(files: readonly OpenFile[], wake: () => void) {
    const once = () => {
      this.end();
      wake();
    };
    for (const file of files) {
      file.watchers.add(once);
      this.#forget.push(() => file.watchers.delete(once));
    }
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const forget of this.#forget) forget();
  }
}

/** What an engine's thread waits for after poll(2) has found nothing ready: see `threads.ts`. */
export interface Waiting {
  readonly files: readonly OpenFile[];
  /** The thread's time at which poll(2) would return 0; undefined: never. */
  readonly until: number | undefined;
}

/** The last poll(2) of each thread that found nothing ready. */
const waiting = new WeakMap<Thread, Waiting>();

/** What `thread` waits for, since its last poll(2) has found nothing ready; undefined if it found something. */
export function waitingOf(thread: Thread): Waiting | undefined {
  return waiting.get(thread);
}

/** Calls `wake` once, as soon as one of `files` may have become ready. Returns a function that ends the wait. */
export function whenReady(files: readonly OpenFile[], wake: () => void): () => void {
  const sleep = new Sleep(files, wake);
  return () => sleep.end();
}

/** The open file; undefined after EBADF. */
function fileOf(fd: number): OpenFile | undefined {
  return currentThread().process.files.get(fd);
}

/** The socket; undefined, with errno set, if the descriptor is none. */
function socketOf(fd: number): SocketFile | ListeningFile | undefined {
  const file = fileOf(fd);
  if (file instanceof SocketFile || file instanceof ListeningFile) return file;
  fails(file === undefined ? ERRNO.EBADF : ERRNO.ENOTSOCK);
}

/** As getsockname(2): a `struct sockaddr_un`. */
function storeAddress({ address = "" }: { address?: string }, into: Uint8Array, length: Uint32Array): 0 {
  const path = address === "" ? new Uint8Array() : new TextEncoder().encode(`${address}\0`);
  const stored = new Uint8Array(2 + path.length);
  new DataView(stored.buffer).setUint16(0, AF.UNIX, true);
  stored.set(path, 2);
  into.set(stored.subarray(0, length[0]));
  length[0] = stored.length;
  return 0;
}

/** As getsockopt(2) for what `ffi/libc/peers.ts` asks for. */
function storeOption(
  { cookie, peerCredentials }: SocketFile | ListeningFile,
  name: number,
  value: ArrayBufferView<ArrayBuffer>,
): number {
  const { pid, uid, gid } = peerCredentials;
  if (name === SO.COOKIE) new BigUint64Array(value.buffer, value.byteOffset, 1)[0] = cookie;
  else if (name === SO.PEERCRED) new Int32Array(value.buffer, value.byteOffset, 3).set([pid, uid, gid]);
  else return fails(ERRNO.EINVAL);
  return 0;
}

/** Fills the revents of `count` `struct pollfd`s; returns how many are ready, and the files. */
function look(words: Int32Array, halves: Int16Array, count: number): { ready: number; files: OpenFile[] } {
  const { process } = currentThread();
  const files: OpenFile[] = [];
  let ready = 0;
  for (let i = 0; i < count; i++) {
    const fd = words[i * 2]!;
    const file = fd < 0 ? undefined : process.files.get(fd);
    const wanted = halves[i * 4 + 2]! | POLL.ERR | POLL.HUP | POLL.NVAL;
    const revents = fd < 0 ? 0 : file === undefined ? POLL.NVAL : file.ready() & wanted;
    halves[i * 4 + 3] = revents;
    if (revents !== 0) ready++;
    if (file !== undefined) files.push(file);
  }
  return { ready, files };
}

function result(value: number): number {
  return value < 0 ? fails(-value) : value;
}

/** The library's functions, over `real`. Without `mapper` no file can be mapped. */
export function virtualLibc(real: Libc, watch: MemoryWatch, mapper?: FileMapper): Libc {
  const opened = (file: OpenFile) => {
    const fd = currentThread().process.open(file);
    return fd < 0 ? fails(ERRNO.EMFILE) : fd;
  };
  const read = (fd: number, into: Uint8Array) => {
    currentThread().process.call();
    return result(fileOf(fd)?.read(into) ?? -ERRNO.EBADF);
  };
  const write = (fd: number, octets: Uint8Array) => {
    currentThread().process.call();
    return result(fileOf(fd)?.write(octets) ?? -ERRNO.EBADF);
  };
  const gettime = (clock: number, words: Int32Array) => {
    const { now } = currentThread();
    const time = clock === CLOCK.MONOTONIC ? now : 0;
    words[0] = Math.floor(time / 1e6);
    words[1] = 0;
    words[2] = Math.floor(time % 1e6) * 1000;
    words[3] = 0;
    return 0;
  };
  const mine: Partial<Record<keyof typeof libcSymbols, unknown>> = {
    __errno_location: () => errnoPointer,
    eventfd: () => {
      currentThread().process.call();
      return opened(new EventFile());
    },
    timerfd_create: () => {
      currentThread().process.call();
      return opened(new TimerFile(currentThread().process.clock));
    },
    timerfd_settime: (fd: number, _flags: number, spec: BigInt64Array) => {
      const micros = (at: number) => Number(spec[at]) * 1e6 + Number(spec[at + 1]) / 1000;
      const file = fileOf(fd);
      if (!(file instanceof TimerFile)) return fails(ERRNO.EBADF);
      file.arm(micros(2), micros(0));
      return 0;
    },
    clock_gettime: (clock: number, time: BigInt64Array) =>
      gettime(clock, new Int32Array(time.buffer, time.byteOffset, 4)),
    hot_clock_gettime: (clock: number, time: Pointer) => {
      const memory = memoryOf(time, 16);
      return gettime(clock, new Int32Array(memory.buffer, memory.byteOffset, 4));
    },
    open: (path: Uint8Array) => result(openAt(new TextDecoder().decode(path.subarray(0, path.indexOf(0))))),
    mmap: (...given: Parameters<Libc["mmap"]>) => {
      const [, bytes, , , fd] = given;
      const { process } = currentThread();
      const file = fileOf(fd);
      if (!(file instanceof RegularFile)) return real.mmap(...given);
      process.call();
      if (mapper === undefined) return fails(ERRNO.ENODEV), MAP_FAILED;
      return Deno.UnsafePointer.create(BigInt(mapper.map(process, file.node, Number(bytes))));
    },
    munmap: (address: Deno.PointerValue, bytes: bigint) => {
      if (mapper?.unmap(Number(Deno.UnsafePointer.value(address)))) return currentThread().process.call(), 0;
      return real.munmap(address, bytes);
    },
    fcntl: () => 0,
    access: () => fails(ERRNO.ENOENT),
    close: (fd: number) => {
      const { process } = currentThread();
      process.call();
      const file = process.files.get(fd);
      if (file === undefined) return fails(ERRNO.EBADF);
      process.files.delete(fd);
      file.close();
      return 0;
    },
    read: (fd: number, into: Uint8Array) => BigInt(read(fd, into)),
    write: (fd: number, octets: Uint8Array) => BigInt(write(fd, octets)),
    hot_read: (fd: number, into: Pointer, length: number) => read(fd, memoryOf(into, length)),
    hot_write: (fd: number, from: Pointer, length: number) => write(fd, memoryOf(from, length)),
    hot_write_at: () => fails(ERRNO.EBADF),
    hot_poll: (fds: Pointer, count: number, timeout: number) => {
      const thread = currentThread();
      thread.process.call();
      const memory = memoryOf(fds, count * 8);
      const { ready, files } = look(
        new Int32Array(memory.buffer, memory.byteOffset, count * 2),
        new Int16Array(memory.buffer, memory.byteOffset, count * 4),
        count,
      );
      const before = waiting.get(thread);
      waiting.delete(thread);
      if (ready > 0 || timeout === 0) return ready;
      // The wait goes on where a spurious wake-up has interrupted it.
      const until = before?.until ?? (timeout < 0 ? undefined : thread.now + timeout * 1000);
      if (until !== undefined && until <= thread.now) return 0;
      waiting.set(thread, { files, until });
      return fails(ERRNO.EINTR);
    },
    poll_async: (fds: Int32Array, count: bigint, timeout: number) => pollAsync(fds, Number(count), timeout),
    getsockname: (fd: number, address: Uint8Array, length: Uint32Array) => {
      const socket = socketOf(fd);
      return socket === undefined ? -1 : storeAddress(socket, address, length);
    },
    getsockopt: (fd: number, _level: number, name: number, value: ArrayBufferView<ArrayBuffer>) => {
      const socket = socketOf(fd);
      return socket === undefined ? -1 : storeOption(socket, name, value);
    },
    malloc_trim: () => 0,
    getuid: () => userOf(currentThread().process).uid,
    getgid: () => userOf(currentThread().process).gid,
    umask: (mask: number) => setUmask(currentThread().process, mask),
    getgrnam: () => null,
    gettid: () => 1,
    sched_setscheduler: () => 0,
    hot_memcpy: (to: bigint, from: bigint, length: number) => {
      watch.copied(BigInt(to), BigInt(from), length);
      real.hot_memcpy(to, from, length);
    },
  };
  return { ...real, ...mine } as unknown as Libc;
}

/** poll(2) on a thread of the pool: resolves in the process's main thread. */
function pollAsync(fds: Int32Array, count: number, timeout: number): Promise<number> {
  const { process } = currentThread();
  process.call();
  const halves = new Int16Array(fds.buffer, fds.byteOffset, count * 4);
  return new Promise((resolve) => {
    const finish = () => {
      forget();
      const { clock } = process;
      const stall = process.poolStallsUntil - clock.now - clock.ahead;
      process.poolReturns++;
      process.main.post(Math.max(stall, process.latency()), () => {
        process.poolReturns--;
        resolve(look(fds, halves, count).ready);
      });
    };
    const { ready, files } = look(fds, halves, count);
    const sleep = new Sleep(files, () => {
      process.clock.cancel(timer);
      finish();
    });
    const expire = () => {
      sleep.end();
      finish();
    };
    const timer = timeout < 0 ? undefined : process.clock.after(timeout * 1000, expire);
    const forget = process.atEnd(() => {
      sleep.end();
      process.clock.cancel(timer);
    });
    if (ready > 0) {
      process.clock.cancel(timer);
      expire();
    }
  });
}
