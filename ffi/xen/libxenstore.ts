// SPDX-License-Identifier: MIT
/** libxenstore, a client's connection to XenStore: the functions of `xenstore.h` that xsnd uses, and a class over them. */
import { cString, textAt } from "../base/c_string.ts";
import { lazyLibrary } from "../base/library.ts";
import { ERRNO } from "../libc/errno.ts";
import { clearErrno, Errno, errno } from "../libc/failed_call.ts";
import { libc } from "../libc/libc.ts";

/** xenstore.h: no transaction. */
export const XBT_NULL = 0;

/** The symbol table; `h` is a `struct xs_handle *`, `t` an `xs_transaction_t` or XBT_NULL. */
// deno-fmt-ignore
export const libxenstoreSymbols = {
  xs_open: { parameters: ["u64"], result: "pointer" }, // flags
  xs_close: { parameters: ["pointer"], result: "void" }, // xsh

  xs_directory: { parameters: ["pointer", "u32", "buffer", "buffer"], result: "pointer" }, // h, t, path, *num
  xs_read: { parameters: ["pointer", "u32", "buffer", "buffer"], result: "pointer" }, // h, t, path, *len
  xs_write: { parameters: ["pointer", "u32", "buffer", "buffer", "u32"], result: "bool" }, // h, t, path, data, len
  xs_mkdir: { parameters: ["pointer", "u32", "buffer"], result: "bool" }, // h, t, path
  xs_rm: { parameters: ["pointer", "u32", "buffer"], result: "bool" }, // h, t, path
  xs_get_permissions: { parameters: ["pointer", "u32", "buffer", "buffer"], result: "pointer" }, // h, t, path, *num
  xs_set_permissions: { parameters: ["pointer", "u32", "buffer", "buffer", "u32"], result: "bool" }, // h, t, path, perms, num_perms

  xs_watch: { parameters: ["pointer", "buffer", "buffer"], result: "bool" }, // h, path, token
  xs_fileno: { parameters: ["pointer"], result: "i32" }, // h
  xs_check_watch: { parameters: ["pointer"], result: "pointer" }, // h
  xs_unwatch: { parameters: ["pointer", "buffer", "buffer"], result: "bool" }, // h, path, token

  xs_transaction_start: { parameters: ["pointer"], result: "u32" }, // h
  xs_transaction_end: { parameters: ["pointer", "u32", "bool"], result: "bool" }, // h, t, abort

  xs_get_domain_path: { parameters: ["pointer", "u32"], result: "pointer" }, // h, domid
  xs_is_domain_introduced: { parameters: ["pointer", "u32"], result: "bool" }, // h, domid

  xs_daemon_socket: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** libxenstore's functions. The first call loads the library. */
export const libxenstore = lazyLibrary(
  {
    soname: "libxenstore.so.4",
    debianPackage: "libxenstore4",
    variable: "XSND_LIBXENSTORE",
    hasThreads: true, // xs_watch starts one
  },
  libxenstoreSymbols,
);

/** An entry of a node's access list: `struct xs_permissions`. */
export interface XsPermission {
  readonly id: number;
  /** `XS_PERM` bits. */
  readonly perms: number;
}

/** A fired watch: the path that changed, and the watch's token. */
export interface XsWatchEvent {
  readonly path: string;
  readonly token: string;
}

const { UnsafePointerView: View } = Deno;

/**
 * A connection to XenStore (`struct xs_handle`). Methods throw {@link Errno}; `t` is a transaction's id, or
 * {@link XBT_NULL}. Requests are synchronous. The first {@link watch} makes the library start a thread, which reads the socket
 * from then on.
 */
export class XsHandle implements Disposable {
  #handle: Deno.PointerValue;
  readonly #count = new Uint32Array(1);

  /**
   * Connects to the socket that `XENSTORED_PATH` names. Without that variable, connects to xenstored's socket, or else to the
   * kernel's xenbus device. The library reads the variable with getenv(3) at each call.
   */
  constructor() {
    clearErrno();
    this.#handle = libxenstore().xs_open(0n);
    if (this.#handle === null) throw new Errno("xs_open", errno());
  }

  get #h(): NonNullable<Deno.PointerValue> {
    if (this.#handle === null) throw new TypeError("the XenStore connection is closed");
    return this.#handle;
  }

  /** The number that the last call has stored. */
  get #counted(): number {
    return this.#count[0]!;
  }

  /** Closes the connection, which removes its watches and aborts its open transactions. */
  [Symbol.dispose](): void {
    if (this.#handle === null) return;
    libxenstore().xs_close(this.#handle);
    this.#handle = null;
  }

  read(t: number, path: string): Uint8Array<ArrayBuffer> {
    const value = libxenstore().xs_read(this.#h, t, cString(path), this.#count);
    if (value === null) throw new Errno(`xs_read ${path}`, errno());
    const bytes = new Uint8Array(this.#counted);
    if (bytes.length > 0) View.copyInto(value, bytes);
    libc().free(value);
    return bytes;
  }

  write(t: number, path: string, value: Uint8Array<ArrayBuffer>): void {
    const done = libxenstore().xs_write(this.#h, t, cString(path), value, value.length);
    if (!done) throw new Errno(`xs_write ${path}`, errno());
  }

  mkdir(t: number, path: string): void {
    if (!libxenstore().xs_mkdir(this.#h, t, cString(path))) throw new Errno(`xs_mkdir ${path}`, errno());
  }

  rm(t: number, path: string): void {
    if (!libxenstore().xs_rm(this.#h, t, cString(path))) throw new Errno(`xs_rm ${path}`, errno());
  }

  /** Names of the children. */
  directory(t: number, path: string): string[] {
    const entries = libxenstore().xs_directory(this.#h, t, cString(path), this.#count);
    if (entries === null) throw new Errno(`xs_directory ${path}`, errno());
    const view = new View(entries);
    const names = Array.from({ length: this.#counted }, (_, i) => textAt(view.getPointer(i * 8)));
    libc().free(entries);
    return names;
  }

  getPermissions(t: number, path: string): XsPermission[] {
    const list = libxenstore().xs_get_permissions(this.#h, t, cString(path), this.#count);
    if (list === null) throw new Errno(`xs_get_permissions ${path}`, errno());
    const words = new Uint32Array(this.#counted * 2); // { unsigned int id, perms; }
    if (words.length > 0) View.copyInto(list, words);
    libc().free(list);
    return Array.from(
      { length: words.length / 2 },
      (_, i) => ({ id: words[i * 2]!, perms: words[i * 2 + 1]! }),
    );
  }

  setPermissions(t: number, path: string, list: readonly XsPermission[]): void {
    const words = new Uint32Array(list.flatMap(({ id, perms }) => [id, perms]));
    const done = libxenstore().xs_set_permissions(this.#h, t, cString(path), words, list.length);
    if (!done) throw new Errno(`xs_set_permissions ${path}`, errno());
  }

  watch(path: string, token: string): void {
    const done = libxenstore().xs_watch(this.#h, cString(path), cString(token));
    if (!done) throw new Errno(`xs_watch ${path}`, errno());
  }

  unwatch(path: string, token: string): void {
    const done = libxenstore().xs_unwatch(this.#h, cString(path), cString(token));
    if (!done) throw new Errno(`xs_unwatch ${path}`, errno());
  }

  /** Readable while {@link checkWatch} has an event. A lost connection does *not* make it readable. */
  get fd(): number {
    const fd = libxenstore().xs_fileno(this.#h);
    if (fd === -1) throw new Errno("xs_fileno", errno());
    return fd;
  }

  /** The next fired watch, or undefined if no watch has fired. Throws EINVAL once the connection is lost. */
  checkWatch(): XsWatchEvent | undefined {
    const event = libxenstore().xs_check_watch(this.#h);
    if (event === null) {
      const number = errno();
      if (number === ERRNO.EAGAIN) return undefined;
      throw new Errno("xs_check_watch", number);
    }
    const view = new View(event);
    const [path, token] = [textAt(view.getPointer(0)), textAt(view.getPointer(8))];
    libc().free(event);
    return { path, token };
  }

  transactionStart(): number {
    const t = libxenstore().xs_transaction_start(this.#h);
    if (t === XBT_NULL) throw new Errno("xs_transaction_start", errno());
    return t;
  }

  /** Commits or aborts. False: another writer's commit came first, so the transaction must start again. */
  transactionEnd(t: number, abort: boolean): boolean {
    if (libxenstore().xs_transaction_end(this.#h, t, abort)) return true;
    const number = errno();
    if (number === ERRNO.EAGAIN && !abort) return false;
    throw new Errno("xs_transaction_end", number);
  }

  domainPath(domid: number): string {
    const path = libxenstore().xs_get_domain_path(this.#h, domid);
    if (path === null) throw new Errno(`xs_get_domain_path ${domid}`, errno());
    const text = textAt(path);
    libc().free(path);
    return text;
  }

  isDomainIntroduced(domid: number): boolean {
    clearErrno(); // xs_is_domain_introduced returns false for "no" and for a failure
    if (libxenstore().xs_is_domain_introduced(this.#h, domid)) return true;
    const number = errno();
    if (number !== 0 && number !== ERRNO.EINTR) throw new Errno(`xs_is_domain_introduced ${domid}`, number);
    return false;
  }
}

/** The socket that {@link XsHandle} tries first: `XENSTORED_PATH`'s, or xenstored's own. */
export function xsDaemonSocket(): string {
  return textAt(libxenstore().xs_daemon_socket());
}
