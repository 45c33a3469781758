// SPDX-License-Identifier: MIT
/**
 * UNIX stream sockets of the virtual machine: `Deno.listen()` and `Deno.connect()` for paths below `/world/`, and the connections
 * that they make. A connection belongs to the process whose code has made it, takes one of its descriptors, and ends with it.
 */
import { mayAccess, umaskOf, userOf } from "./credentials.ts";
import { FileNode } from "./file_tree.ts";
import { PendingCalls } from "./pending_calls.ts";
import { replace } from "./platform.ts";
import { currentThread, type Process, runningThread } from "./process.ts";
import { ListeningFile, type PeerCredentials, SocketFile } from "./socket_file.ts";
import { codeOf, type ErrorCode, negative, systemError } from "./system_error.ts";
import { isMissing, type VirtualFiles, virtualPath } from "./virtual_files.ts";

/** sys/un.h: octets of `sun_path`, of which the last is a NUL. */
const SUN_LEN = 108;
/** The kernel's default for net.core.wmem_default. */
const CAPACITY = 212_992;
/** The backlog that Deno passes to listen(2). */
const BACKLOG = 1024;

/** The calls that can be made to fail. */
export type SocketCall = "accept" | "connect" | "listen" | "write";

export class UnixSockets {
  /** What the kernel may charge for octets of one direction that are not read yet: net.core.wmem_default. For new connections. */
  capacity = CAPACITY;
  /** This many connections to a listener may wait, and one more. For new listeners. */
  backlog = BACKLOG;
  /** Listeners by the nodes they are bound to. */
  readonly #listeners = new WeakMap<FileNode, ListeningFile>();
  readonly #failures = new Map<SocketCall, { code: ErrorCode; times: number }>();
  #lastCookie = 0n;

  constructor(readonly files: VirtualFiles) {}

  /** Has the next `times` calls of all processes fail with `code`, as for want of kernel memory. */
  fail(call: SocketCall, code: ErrorCode, times: number): void {
    this.#failures.set(call, { code, times });
  }

  /** Throws the error that {@link fail} has asked for. */
  check(call: SocketCall): void {
    const failure = this.#failures.get(call);
    if (failure === undefined || failure.times === 0) return;
    failure.times--;
    throw systemError(failure.code);
  }

  /** As `Deno.listen({ transport: "unix", path })`. */
  listen(process: Process, path: string): VirtualListener {
    requireShort(path);
    process.call();
    this.check("listen");
    const { tree } = this.files;
    const user = userOf(process);
    const place = tree.find(path, user);
    if (place.node !== undefined) throw systemError("EADDRINUSE");
    if (!mayAccess(user, place.directory, 2)) throw systemError("EACCES");
    const node = new FileNode("socket", 0o777 & ~umaskOf(process));
    const file = new ListeningFile(process, path, ++this.#lastCookie, credentialsOf(process), this.backlog);
    const fd = process.open(file);
    if (fd < 0) throw systemError("EMFILE");
    tree.link(place, node, user);
    this.#listeners.set(node, file);
    return new VirtualListener(this, process, fd, file);
  }

  /** As `Deno.connect({ transport: "unix", path })`. */
  connect(process: Process, path: string): Promise<VirtualConn> {
    return new Promise((resolve, reject) => {
      requireShort(path);
      process.call();
      const settle = this.#connected(process, path, resolve, reject);
      process.main.post(process.latency(), settle);
    });
  }

  #connected(
    process: Process,
    path: string,
    resolve: (connection: VirtualConn) => void,
    reject: (error: unknown) => void,
  ): () => void {
    try {
      this.check("connect");
      const { node } = this.files.tree.find(path, userOf(process));
      if (node === undefined) throw systemError("ENOENT");
      if (!mayAccess(userOf(process), node, 2)) throw systemError("EACCES");
      const listener = this.#listeners.get(node);
      if (listener === undefined || listener.isClosed) throw systemError("ECONNREFUSED");
      if (listener.isFull) throw systemError("EAGAIN");
      const { capacity } = this;
      const mine = new SocketFile(capacity, undefined, ++this.#lastCookie, listener.peerCredentials);
      const fd = process.open(mine);
      if (fd < 0) throw systemError("EMFILE");
      const theirs = new SocketFile(capacity, listener.address, ++this.#lastCookie, credentialsOf(process));
      SocketFile.connect(mine, theirs);
      listener.arrive(theirs);
      const connection = new VirtualConn(this, process, fd, mine, null, path);
      return () => resolve(connection);
    } catch (error) {
      return () => reject(error);
    }
  }

  /** As unlink(2), which Deno calls for a listener that its program closes. */
  unlink(process: Process, path: string): void {
    process.call();
    if (this.files.node(path) !== undefined) this.files.remove(path);
  }
}

/** A `Deno.UnixListener`, as far as production code uses it. */
export class VirtualListener implements Disposable {
  readonly #accepts: PendingCalls<VirtualConn>;
  readonly addr: Deno.UnixAddr;

  constructor(
    private readonly sockets: UnixSockets,
    private readonly process: Process,
    private readonly fd: number,
    private readonly file: ListeningFile,
  ) {
    this.#accepts = new PendingCalls(process, file, () => file.queue.length > 0);
    this.addr = { transport: "unix", path: file.address };
  }

  accept(): Promise<VirtualConn> {
    const { process, file } = this;
    return this.#accepts.start(() => {
      if (file.isClosed) throw closedListener();
      const [end] = file.queue;
      if (end === undefined) return undefined;
      this.sockets.check("accept");
      // The kernel looks for a descriptor first: without one the connection goes on waiting.
      const fd = process.open(end);
      if (fd < 0) throw systemError("EMFILE");
      file.queue.shift();
      return new VirtualConn(this.sockets, process, fd, end, file.address, null);
    });
  }

  /** Closes the socket, and removes whatever is at its path by now. */
  close(): void {
    if (this.file.isClosed) throw badResource();
    this.process.call();
    this.process.files.delete(this.fd);
    this.file.close();
    this.#accepts.cancel(closedListener);
    this.sockets.unlink(this.process, this.file.address);
  }

  [Symbol.dispose](): void {
    if (!this.file.isClosed && !this.process.isDead) this.close();
  }

  ref(): void {}
  unref(): void {}
}

/** A `Deno.UnixConn`, as far as production code uses it. */
export class VirtualConn implements Disposable {
  readonly #reads: PendingCalls<number | null>;
  readonly #writes: PendingCalls<number>;
  readonly localAddr: { transport: "unix"; path: string | null };
  readonly remoteAddr: { transport: "unix"; path: string | null };
  #isClosed = false;

  constructor(
    private readonly sockets: UnixSockets,
    private readonly process: Process,
    private readonly fd: number,
    private readonly file: SocketFile,
    localPath: string | null,
    remotePath: string | null,
  ) {
    this.#reads = new PendingCalls(process, file, () => file.isReadable);
    this.#writes = new PendingCalls(process, file, () => file.isWritable);
    this.localAddr = { transport: "unix", path: localPath };
    this.remoteAddr = { transport: "unix", path: remotePath };
  }

  /** null when the other end has hung up, and everything from it is read. */
  read(into: Uint8Array): Promise<number | null> {
    return this.#reads.start(() => {
      if (this.#isClosed) throw badResource();
      if (into.length === 0) return 0;
      const count = this.file.read(into);
      return count === 0 ? null : resultOf(count);
    });
  }

  write(octets: Uint8Array): Promise<number> {
    return this.#writes.start(() => {
      if (this.#isClosed) throw badResource();
      this.sockets.check("write");
      return resultOf(this.file.write(octets));
    });
  }

  closeWrite(): Promise<void> {
    return this.#writes.start(() => {
      if (this.#isClosed) throw badResource();
      this.file.shutdownWrite();
      return 0;
    }).then(() => {});
  }

  close(): void {
    if (this.#isClosed) throw badResource();
    this.process.call();
    this.#isClosed = true;
    this.process.files.delete(this.fd);
    this.file.close();
    for (const calls of [this.#reads, this.#writes]) {
      calls.cancel(() => Object.assign(new Deno.errors.Interrupted("operation canceled"), { code: "EINTR" }));
    }
  }

  [Symbol.dispose](): void {
    // The kernel closes what a dead process leaves.
    if (!this.#isClosed && !this.process.isDead) this.close();
  }

  get readable(): never {
    return isMissing("the virtual machine has no Deno.Conn.readable");
  }

  get writable(): never {
    return isMissing("the virtual machine has no Deno.Conn.writable");
  }

  ref(): void {}
  unref(): void {}
}

/** The count of a call that is done; undefined if it has to wait. Throws its error. */
function resultOf(count: number): number | undefined {
  if (count === negative("EAGAIN")) return undefined;
  if (count < 0) throw systemError(codeOf(count));
  return count;
}

function credentialsOf(process: Process): PeerCredentials {
  return { ...userOf(process), pid: process.pid };
}

function requireShort(path: string): void {
  if (new TextEncoder().encode(path).length < SUN_LEN) return;
  throw new TypeError("path must be shorter than SUN_LEN");
}

function badResource(): Error {
  return new Deno.errors.BadResource("Bad resource ID");
}

function closedListener(): Error {
  return new Deno.errors.BadResource("Listener has been closed");
}

/** The platform's functions, from before any world. */
const real = { listen: Deno.listen, connect: Deno.connect } as unknown as Record<
  "listen" | "connect",
  (address: Address) => unknown
>;

/** Where a process listens, or connects to. */
interface Address {
  readonly transport?: string;
  readonly path?: string;
}

/** Has processes use `sockets` from now on. Code that belongs to no process uses the real ones. */
export function installSockets(sockets: UnixSockets): void {
  const pathOf = ({ transport = "tcp", path }: Address, name: string): string => {
    if (transport !== "unix" || path === undefined) {
      return isMissing(`the virtual machine has no network for Deno.${name}(): ${transport}`);
    }
    return virtualPath(path, name);
  };
  replace(Deno, "listen", (address: Address) => {
    if (runningThread() === undefined) return real.listen(address);
    return sockets.listen(currentThread().process, pathOf(address, "listen"));
  });
  // A wrong path rejects, as the real function does.
  // deno-lint-ignore require-await
  replace(Deno, "connect", async (address: Address) => {
    if (runningThread() === undefined) return real.connect(address);
    return sockets.connect(currentThread().process, pathOf(address, "connect"));
  });
}
