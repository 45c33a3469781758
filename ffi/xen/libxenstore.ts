// SPDX-License-Identifier: MIT
/** libxenstore: the client side of XenStore, as `xenstore.h` declares it. */
import { cString, lazyLibrary } from "../base/library.ts";
import { ERRNO } from "../libc/errno.ts";
import { clearErrno, Errno, errno, libc } from "../libc/libc.ts";

/** xenstore.h, xenstore_lib.h: constants. */
export const XBT_NULL = 0;
export const XS_UNWATCH_FILTER = 1n << 2n;
export const XS_PERM = { NONE: 0, READ: 1, WRITE: 2 } as const;

/** The symbol table; `h` is a `struct xs_handle *`, `t` an `xs_transaction_t` (XBT_NULL: outside of any). */
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
  xs_read_watch: { parameters: ["pointer", "buffer"], result: "pointer" }, // h, *num
  xs_unwatch: { parameters: ["pointer", "buffer", "buffer"], result: "bool" }, // h, path, token

  xs_transaction_start: { parameters: ["pointer"], result: "u32" }, // h
  xs_transaction_end: { parameters: ["pointer", "u32", "bool"], result: "bool" }, // h, t, abort

  xs_introduce_domain: { parameters: ["pointer", "u32", "u64", "u32"], result: "bool" }, // h, domid, mfn, eventchn
  xs_release_domain: { parameters: ["pointer", "u32"], result: "bool" }, // h, domid
  xs_resume_domain: { parameters: ["pointer", "u32"], result: "bool" }, // h, domid
  xs_set_target: { parameters: ["pointer", "u32", "u32"], result: "bool" }, // h, domid, target
  xs_get_domain_path: { parameters: ["pointer", "u32"], result: "pointer" }, // h, domid
  xs_is_domain_introduced: { parameters: ["pointer", "u32"], result: "bool" }, // h, domid
  xs_path_is_subpath: { parameters: ["buffer", "buffer"], result: "bool" }, // parent, child
  xs_control_command: { parameters: ["pointer", "buffer", "buffer", "u32"], result: "pointer" }, // h, cmd, data, len

  xs_daemon_socket: { parameters: [], result: "pointer" },
  xs_daemon_rundir: { parameters: [], result: "pointer", optional: true },
} as const satisfies Deno.ForeignLibraryInterface;

/** libxenstore's functions; loaded on the first call. */
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

/** A fired watch: the path that changed and the token of the watch. */
export interface XsWatchEvent {
  readonly path: string;
  readonly token: string;
}

const { UnsafePointerView: View } = Deno;

/**
 * A connection to XenStore (`struct xs_handle`). Methods throw {@link Errno}; `t` is a transaction's id, or
 * {@link XBT_NULL}. Requests are synchronous. The first {@link watch} makes the library start a thread that reads
 * the socket from then on.
 */
export class XsHandle implements Disposable {
  #handle: Deno.PointerValue;
  readonly #count = new Uint32Array(1);

  /**
   * Connects to `XENSTORED_PATH` if that is set, else to xenstored's socket, else to the kernel's xenbus device.
   * The library reads the variable with getenv(3) at each call.
   */
  constructor(flags = 0n) {
    clearErrno();
    this.#handle = libxenstore().xs_open(flags);
    if (this.#handle === null) throw new Errno("xs_open", errno());
  }

  get #h(): NonNullable<Deno.PointerValue> {
    if (this.#handle === null) throw new TypeError("the XenStore connection is closed");
    return this.#handle;
  }

  /** Closes the connection: its watches are gone, its open transactions aborted. */
  [Symbol.dispose](): void {
    if (this.#handle === null) return;
    libxenstore().xs_close(this.#handle);
    this.#handle = null;
  }

  read(t: number, path: string): Uint8Array<ArrayBuffer> {
    const value = libxenstore().xs_read(this.#h, t, cString(path), this.#count);
    if (value === null) throw new Errno(`xs_read ${path}`, errno());
    const bytes = new Uint8Array(this.#count[0]);
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
    const names = Array.from({ length: this.#count[0] }, (_, i) => View.getCString(view.getPointer(i * 8)!));
    libc().free(entries);
    return names;
  }

  getPermissions(t: number, path: string): XsPermission[] {
    const list = libxenstore().xs_get_permissions(this.#h, t, cString(path), this.#count);
    if (list === null) throw new Errno(`xs_get_permissions ${path}`, errno());
    const words = new Uint32Array(this.#count[0] * 2); // { unsigned int id, perms; }
    if (words.length > 0) View.copyInto(list, words);
    libc().free(list);
    return Array.from(
      { length: words.length / 2 },
      (_, i) => ({ id: words[i * 2], perms: words[i * 2 + 1] }),
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

  /** The next fired watch, or undefined if there is none now. Throws EINVAL once the connection is lost. */
  checkWatch(): XsWatchEvent | undefined {
    const event = libxenstore().xs_check_watch(this.#h);
    if (event === null) {
      const number = errno();
      if (number === ERRNO.EAGAIN) return undefined;
      throw new Errno("xs_check_watch", number);
    }
    const view = new View(event);
    const [path, token] = [View.getCString(view.getPointer(0)!), View.getCString(view.getPointer(8)!)];
    libc().free(event);
    return { path, token };
  }

  transactionStart(): number {
    const t = libxenstore().xs_transaction_start(this.#h);
    if (t === XBT_NULL) throw new Errno("xs_transaction_start", errno());
    return t;
  }

  /** Commits (false: another writer got in between, start again) or aborts. */
  transactionEnd(t: number, abort: boolean): boolean {
    if (libxenstore().xs_transaction_end(this.#h, t, abort)) return true;
    const number = errno();
    if (number === ERRNO.EAGAIN && !abort) return false;
    throw new Errno("xs_transaction_end", number);
  }

  domainPath(domid: number): string {
    const path = libxenstore().xs_get_domain_path(this.#h, domid);
    if (path === null) throw new Errno(`xs_get_domain_path ${domid}`, errno());
    const text = View.getCString(path);
    libc().free(path);
    return text;
  }

  isDomainIntroduced(domid: number): boolean {
    clearErrno(); // false means "no" and "failed" alike
    if (libxenstore().xs_is_domain_introduced(this.#h, domid)) return true;
    const number = errno();
    if (number !== 0 && number !== ERRNO.EINTR) throw new Errno(`xs_is_domain_introduced ${domid}`, number);
    return false;
  }

  /** Tells xenstored of a domain, its ring page and event channel. For the embedded Xen's toolstack side. */
  introduceDomain(domid: number, mfn: bigint, eventChannel: number): void {
    const done = libxenstore().xs_introduce_domain(this.#h, domid, mfn, eventChannel);
    if (!done) throw new Errno(`xs_introduce_domain ${domid}`, errno());
  }

  releaseDomain(domid: number): void {
    if (!libxenstore().xs_release_domain(this.#h, domid)) {
      throw new Errno(`xs_release_domain ${domid}`, errno());
    }
  }
}

/** The socket that {@link XsHandle} tries first: `XENSTORED_PATH`, or xenstored's own. */
export function xsDaemonSocket(): string {
  return View.getCString(libxenstore().xs_daemon_socket()!);
}
