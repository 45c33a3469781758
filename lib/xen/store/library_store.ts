// SPDX-License-Identifier: MIT
/**
 * XenStore over libxenstore. On real Xen the library itself finds xenstored or the kernel's xenbus device. In the embedded Xen
 * `XENSTORED_PATH` names the socket of a domain.
 */
import { ERRNO, errnoName } from "../../../ffi/libc/errno.ts";
import { Errno, errno } from "../../../ffi/libc/failed_call.ts";
import { ACCESS, libc } from "../../../ffi/libc/libc.ts";
import { cString } from "../../../ffi/base/c_string.ts";
import { XBT_NULL, xsDaemonSocket, XsHandle } from "../../../ffi/xen/libxenstore.ts";
import { Exit, XsndError } from "../../base/error.ts";
import {
  type Access,
  type Permission,
  type Store,
  StoreError,
  type StoreView,
  type StoreWatch,
} from "../ports.ts";
import { storeCall } from "./store_call.ts";
import { StoreWatches } from "./store_watches.ts";

/** How often a transaction that loses to other writers runs before {@link StoreError} EAGAIN. */
const TRANSACTION_ATTEMPTS = 200;

/** {@link Store.settled} deals out changes in at most this many turns: some 16 000 changes. */
const SETTLING_TURNS = 64;

/**
 * Opens XenStore: the server at `socketPath`, else the server that `XENSTORED_PATH` names, else this machine's. Throws
 * {@link XsndError} with exit code 5 if there is no server, 4 if this user may not use the server, 1 if this process has no
 * descriptor left.
 */
export function openStore(socketPath?: string): Store {
  if (socketPath === undefined) return connectedStore();
  // libxenstore reads the variable with getenv(3) inside xs_open; Deno.env.set is setenv(3).
  const inherited = Deno.env.get("XENSTORED_PATH");
  Deno.env.set("XENSTORED_PATH", socketPath);
  try {
    return connectedStore();
  } finally {
    if (inherited === undefined) Deno.env.delete("XENSTORED_PATH");
    else Deno.env.set("XENSTORED_PATH", inherited);
  }
}

function connectedStore(): Store {
  const handle = connect();
  try {
    return new LibraryStore(handle);
  } catch (cause) {
    handle[Symbol.dispose]();
    if (!(cause instanceof Errno)) throw cause;
    throw new XsndError(`cannot watch XenStore: ${cause.message}`, Exit.failed, { cause });
  }
}

function connect(): XsHandle {
  try {
    return new XsHandle();
  } catch (cause) {
    if (!(cause instanceof Errno)) throw cause;
    // Without XENSTORED_PATH the library tries the socket and then the xenbus device, and reports the device's error alone.
    const socket = xsDaemonSocket();
    const refusal = libc().access(cString(socket), ACCESS.W_OK) === -1 ? errno() : 0;
    const code = refusal === 0 || refusal === ERRNO.ENOENT ? cause.code : errnoName(refusal);
    const tried = Deno.env.has("XENSTORED_PATH")
      ? `${socket} (from XENSTORED_PATH)`
      : `${socket} or the xenbus device`;
    if (code === "EACCES" || code === "EPERM") {
      throw new XsndError(`cannot open XenStore at ${tried}: ${code}; run as root`, Exit.permission, {
        cause,
      });
    }
    throw new XsndError(
      `cannot open XenStore at ${tried}: ${code}; is xenstored running there? \`xsnd sandbox\` brings its own`,
      Exit.xenOrLibraryMissing,
      { cause },
    );
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Indexed by `XS_PERM` bits. */
const accessByBits: readonly Access[] = ["none", "read", "write", "both"];

/** The operations inside of transaction `t`, or outside of any for XBT_NULL. */
class View implements StoreView {
  #over: string | undefined;

  constructor(private readonly handle: XsHandle, private readonly t: number) {}

  read(path: string): string | undefined {
    const value = this.#call("read", path, () => this.handle.read(this.t, path));
    return value && decoder.decode(value);
  }

  write(path: string, value: string): void {
    this.#call("write", path, () => this.handle.write(this.t, path, encoder.encode(value)), false);
  }

  mkdir(path: string): void {
    this.#call("mkdir", path, () => this.handle.mkdir(this.t, path), false);
  }

  remove(path: string): void {
    this.#call("remove", path, () => this.handle.rm(this.t, path));
  }

  list(path: string): string[] | undefined {
    return this.#call("list", path, () => this.handle.directory(this.t, path));
  }

  getPermissions(path: string): Permission[] | undefined {
    const list = this.#call("get permissions of", path, () => this.handle.getPermissions(this.t, path));
    return list?.map(({ id, perms }) => ({ domid: id, access: accessByBits[perms & 3]! }));
  }

  setPermissions(path: string, permissions: readonly Permission[]): void {
    const list = permissions.map(({ domid, access }) => ({ id: domid, perms: accessByBits.indexOf(access) }));
    this.#call("set permissions of", path, () => this.handle.setPermissions(this.t, path, list), false);
  }

  /** Refuses all further calls, for the reason `why`. */
  end(why: string): void {
    this.#over = why;
  }

  /** Runs a library call. ENOENT gives undefined if `mayBeAbsent`. */
  #call<T>(verb: string, path: string, body: () => T, mayBeAbsent = true): T | undefined {
    if (this.#over !== undefined) throw new TypeError(`XenStore: cannot ${verb} ${path}: ${this.#over}`);
    try {
      return storeCall(this.handle, verb, path, body);
    } catch (error) {
      if (mayBeAbsent && error instanceof StoreError && error.code === "ENOENT") return undefined;
      throw error;
    }
  }
}

class LibraryStore extends View implements Store {
  readonly #handle: XsHandle;
  readonly #watches: StoreWatches;

  constructor(handle: XsHandle) {
    super(handle, XBT_NULL);
    this.#handle = handle;
    this.#watches = new StoreWatches(handle);
  }

  transaction<T>(body: (view: StoreView) => T): T {
    for (let attempt = 0; attempt < TRANSACTION_ATTEMPTS; attempt++) {
      const t = this.#call("start a transaction in", () => this.#handle.transactionStart());
      const view = new View(this.#handle, t);
      let result: T;
      try {
        result = body(view);
      } catch (error) {
        this.#abort(t);
        throw error;
      } finally {
        view.end("its transaction is over");
      }
      if (this.#call("commit a transaction to", () => this.#handle.transactionEnd(t, false))) return result;
      pause(attempt);
    }
    throw new StoreError(`commit a transaction, ${TRANSACTION_ATTEMPTS} times over, to`, "/", "EAGAIN");
  }

  /** Aborts. A failure does not matter: a lost connection has aborted the transaction, and the body's own error says more. */
  #abort(t: number): void {
    try {
      this.#handle.transactionEnd(t, true);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
    }
  }

  watch(path: string): StoreWatch {
    return this.#watches.add(path);
  }

  async settled(): Promise<void> {
    this.domainPath(0); // XenStore keeps the order: at the answer all earlier events are in libxenstore's queue
    const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
    // The bound keeps a writer that never stops from delaying this for ever.
    const deal = () => this.#call("wait for the watches of", () => this.#watches.deal());
    for (let turns = 0; turns < SETTLING_TURNS && !deal(); turns++) await turn();
    await turn();
  }

  domainPath(domid: number): string {
    return this.#call(`get the path of domain ${domid} in`, () => this.#handle.domainPath(domid));
  }

  isIntroduced(domid: number): boolean {
    return this.#call(`ask for domain ${domid} in`, () => this.#handle.isDomainIntroduced(domid));
  }

  /** A call on the store as a whole. */
  #call<T>(verb: string, body: () => T): T {
    return storeCall(this.#handle, verb, "/", body);
  }

  /** Ends the iterators of all watches and closes the connection. */
  [Symbol.dispose](): void {
    this.end("the connection is closed");
    this.#watches[Symbol.dispose]();
    this.#handle[Symbol.dispose]();
  }
}

const neverNotified = new Int32Array(new SharedArrayBuffer(4));

/** After a few lost races waits for up to 4 ms, at random, so that two competing writers fall out of step. */
function pause(attempt: number): void {
  if (attempt >= 8) Atomics.wait(neverNotified, 0, 0, Math.random() * 4);
}
