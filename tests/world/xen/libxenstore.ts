// SPDX-License-Identifier: MIT
/**
 * libxenstore of the virtual machine, over the world's xenstored. Errors are those of the library (tools/libs/store/xs.c), a broken
 * connection's too.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { POLL } from "../../../ffi/libc/libc.ts";
import type { libxenstoreSymbols } from "../../../ffi/xen/libxenstore.ts";
import { domainPath } from "../../../lib/xen/embedded/server/store_paths.ts";
import { XsError } from "../../../lib/xen/embedded/server/wire.ts";
import type { Access } from "../../../lib/xen/ports.ts";
import { OpenFile } from "../machine/files.ts";
import { fails } from "../machine/libc.ts";
import { currentThread, type Process } from "../machine/process.ts";
import { Handles } from "./handles.ts";
import { currentXen } from "./machine.ts";
import { allocated, allocatedStrings } from "./real_memory.ts";
import type { StoreClient, StoreConnection } from "./store_connection.ts";
import type { Xenstored } from "./xenstored.ts";

type Symbols = Deno.DynamicLibrary<typeof libxenstoreSymbols>["symbols"];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Indexed by `XS_PERM` bits. */
const accessByBits: readonly Access[] = ["none", "read", "write", "both"];

/** A socket, or an end of the pipe that tells of watch events. */
class Descriptor extends OpenFile {
  constructor(private readonly isReadable: () => boolean) {
    super();
  }

  ready(): number {
    return this.isReadable() ? POLL.IN : 0;
  }
}

/** `struct xs_handle`. */
class Handle implements StoreClient {
  readonly owner: Process;
  #connection: StoreConnection | undefined;
  /** Whether the thread runs that reads the socket: from the first watch to the connection's end. */
  #hasReader = false;
  /** The error of the next call on a broken connection. */
  #brokenErrno = 0;
  /** Fired watches on their way, and those in the library's queue: path and token. */
  #coming: [string, string][] = [];
  readonly #queue: [string, string][] = [];
  readonly #socket: number;
  readonly #pipe = new Descriptor(() => this.#queue.length > 0);
  readonly #pipeFds: number[] = [];
  readonly #forget: () => void;

  private constructor(private readonly xenstored: Xenstored, process: Process, socket: number) {
    this.owner = process;
    this.#socket = socket;
    this.#forget = process.atEnd(() => this.#hangUp());
  }

  /** As xs_open: a handle, or a negative errno. */
  static open(xenstored: Xenstored, process: Process): Handle | number {
    const socket = process.open(new Descriptor(() => false));
    if (socket < 0) return -ERRNO.EMFILE;
    const handle = new Handle(xenstored, process, socket);
    handle.#connection = xenstored.connect(process.domid, handle);
    if (handle.#connection !== undefined) return handle;
    handle.close();
    return -ERRNO.ENOENT;
  }

  /** Makes a request; `failed` after an error. */
  request<T, F>(failed: F, body: (connection: StoreConnection) => T, isCommit = false): T | F {
    const { xenstored } = this;
    const thread = currentThread();
    thread.process.call();
    thread.spend(xenstored.requestTime());
    if (this.#connection === undefined) return this.#broken(), failed;
    // The reply comes after all events that were sent before.
    this.#arrive();
    if (isCommit) xenstored.commits(thread.process);
    const fate = xenstored.diesIn(isCommit ? thread.process : undefined);
    if (fate !== undefined) return this.#diesNow(fate, body), failed;
    try {
      return body(this.#connection);
    } catch (error) {
      if (!(error instanceof XsError)) throw error;
      fails(ERRNO[error.code]);
      return failed;
    } finally {
      if (this.#coming.length > 0 && xenstored.isFast()) this.#arrive();
    }
  }

  /** A call on a broken connection: the library closes the socket at the first one. */
  #broken(): void {
    fails(this.#brokenErrno);
    this.#brokenErrno = ERRNO.EBADF;
  }

  /** The server dies before its reply: the reader finds that out, or this call itself. */
  #diesNow(fate: "done" | "not done", body: (connection: StoreConnection) => unknown): void {
    const hadReader = this.#hasReader;
    try {
      if (fate === "done") body(this.#connection!);
    } catch (error) {
      if (!(error instanceof XsError)) throw error;
    } finally {
      this.xenstored.die();
    }
    fails(hadReader ? ERRNO.EINVAL : ERRNO.EBADF);
    if (!hadReader) this.#brokenErrno = ERRNO.EBADF;
  }

  startReader(): void {
    this.#hasReader = true;
  }

  event(path: string, token: string): void {
    this.#coming.push([path, token]);
    if (this.#coming.length > 1) return;
    this.xenstored.hypervisor.clock.after(this.xenstored.eventTime(), () => this.#arrive());
  }

  /** All events on their way reach the library's queue. */
  #arrive(): void {
    if (this.#coming.length === 0 || !this.#hasReader) return;
    const wasEmpty = this.#queue.length === 0;
    for (const event of this.#coming) this.#queue.push(event);
    this.#coming = [];
    if (wasEmpty) this.#pipe.changed();
  }

  /** xs_check_watch: the oldest event, or an errno. */
  nextEvent(): [string, string] | number {
    if (this.#queue.length === 0 && this.#hasReader) return ERRNO.EAGAIN;
    return this.#hasReader ? this.#queue.shift()! : ERRNO.EINVAL;
  }

  /** xs_fileno. */
  fileno(): number {
    if (this.#pipeFds.length > 0) return this.#pipeFds[0]!;
    for (const end of [this.#pipe, new Descriptor(() => false)]) {
      const fd = this.owner.open(end);
      if (fd < 0) {
        for (const open of this.#pipeFds.splice(0)) this.owner.files.delete(open);
        return fails(ERRNO.EMFILE);
      }
      this.#pipeFds.push(fd);
    }
    return this.#pipeFds[0]!;
  }

  lost(): void {
    this.#connection = undefined;
    this.#hasReader = false;
    this.#coming = [];
    this.#brokenErrno = this.xenstored.isFast() ? ERRNO.ECONNRESET : ERRNO.EPIPE;
  }

  #hangUp(): void {
    if (this.#connection !== undefined) this.xenstored.close(this.#connection);
    this.lost();
  }

  close(): void {
    this.#forget();
    this.#hangUp();
    for (const fd of [this.#socket, ...this.#pipeFds]) this.owner.files.delete(fd);
  }
}

const handles = new Handles<Handle>("xs_handle");

/** The text of a C string. */
function text(buffer: AllowSharedBufferSource | null): string {
  const octets = buffer as Uint8Array;
  return decoder.decode(octets.subarray(0, octets.length - 1));
}

function store(count: AllowSharedBufferSource | null, value: number): void {
  (count as Uint32Array)[0] = value;
}

let socketPath: Deno.PointerValue = null;

/** The library's functions. */
export function virtualLibxenstore(): Symbols {
  const effect = (
    h: Deno.PointerValue,
    body: (connection: StoreConnection) => void,
    isCommit = false,
  ): boolean => {
    const done = (connection: StoreConnection) => {
      body(connection);
      return true;
    };
    return handles.get(h).request(false, done, isCommit);
  };
  return {
    xs_open: () => {
      const { process } = currentThread();
      process.call();
      const handle = Handle.open(currentXen().xenstored, process);
      return typeof handle === "number" ? (fails(-handle), null) : handles.give(handle);
    },
    xs_close: (h) => {
      currentThread().process.call();
      handles.take(h).close();
    },
    xs_directory: (h, t, path, count) =>
      handles.get(h).request(null, (connection) => {
        const names = connection.list(t, text(path));
        store(count, names.length);
        return allocatedStrings(names.map((name) => encoder.encode(name)));
      }),
    xs_read: (h, t, path, length) =>
      handles.get(h).request(null, (connection) => {
        currentXen().xenstored.onRead(currentThread().process, text(path));
        const value = connection.read(t, text(path));
        store(length, value.length);
        return allocated(value as Uint8Array<ArrayBuffer>);
      }),
    xs_write: (h, t, path, data, length) =>
      effect(h, (connection) => connection.write(t, text(path), (data as Uint8Array).slice(0, length))),
    xs_mkdir: (h, t, path) => effect(h, (connection) => connection.mkdir(t, text(path))),
    xs_rm: (h, t, path) => effect(h, (connection) => connection.remove(t, text(path))),
    xs_get_permissions: (h, t, path, count) =>
      handles.get(h).request(null, (connection) => {
        const list = connection.getPermissions(t, text(path));
        store(count, list.length);
        const words = new Uint32Array(
          list.flatMap(({ domid, access }) => [domid, accessByBits.indexOf(access)]),
        );
        return allocated(new Uint8Array(words.buffer));
      }),
    xs_set_permissions: (h, t, path, permissions, count) =>
      effect(h, (connection) => {
        const words = permissions as Uint32Array;
        const list = Array.from(
          { length: count },
          (_, i) => ({ domid: words[i * 2]!, access: accessByBits[words[i * 2 + 1]! & 3]! }),
        );
        connection.setPermissions(t, text(path), list);
      }),
    xs_watch: (h, path, token) =>
      effect(h, (connection) => {
        const handle = handles.get(h);
        handle.startReader();
        connection.watch(text(path), text(token));
      }),
    xs_fileno: (h) => {
      currentThread().process.call();
      return handles.get(h).fileno();
    },
    xs_check_watch: (h) => {
      currentThread().process.call();
      const event = handles.get(h).nextEvent();
      if (typeof event === "number") return fails(event), null;
      return allocatedStrings(event.map((part) => encoder.encode(part)));
    },
    xs_unwatch: (h, path, token) => effect(h, (connection) => connection.unwatch(text(path), text(token))),
    xs_transaction_start: (h) => handles.get(h).request(0, (connection) => connection.beginTransaction()),
    xs_transaction_end: (h, t, aborts) =>
      effect(h, (connection) => connection.endTransaction(t, !aborts), !aborts),
    xs_get_domain_path: (h, domid) =>
      handles.get(h).request(null, () => {
        currentXen().xenstored.onPathAsked(currentThread().process);
        return allocated(encoder.encode(`${domainPath(domid)}\0`));
      }),
    xs_is_domain_introduced: (h, domid) =>
      handles.get(h).request(false, (connection) => connection.isIntroduced(domid)),
    xs_daemon_socket: () => socketPath ??= allocated(encoder.encode("/var/run/xenstored/socket\0")),
  };
}
