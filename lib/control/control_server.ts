// SPDX-License-Identifier: MIT
/** The daemon's end of the control socket: who may connect, how many, and one request after the other of each client. */
import { getLogger } from "@logtape/logtape";
import { dirname } from "node:path";
import { groupId } from "../../ffi/libc/groups.ts";
import { libc } from "../../ffi/libc/libc.ts";
import { SharedFile } from "../../ffi/libc/shared_file.ts";
import { Peers } from "../../ffi/libc/peers.ts";
import { Exit, type ExitCode, XsndError } from "../base/error.ts";
import { fileProblem } from "../base/file_error.ts";
import { unlessAborted } from "../base/signals.ts";
import { connectUnlessGone } from "./connect.ts";
import { lines, received, turn } from "./lines.ts";
import { CONTROL_VERSION, type ControlRequest, type ControlResponse, RUN_DIRECTORY } from "./protocol.ts";
import { parseRequest } from "./request_schema.ts";

/**
 * Carries out a request. Its {@link XsndError}s are for the user. An async iterable is sent as one response a part. `gone` is
 * aborted when the client hangs up or sends another line: the handler then does nothing that it still waits for. The client
 * keeps its place until the handler has ended.
 */
export type ControlHandler = (request: ControlRequest, gone: AbortSignal) => Promise<unknown>;

/** The most clients at a time: more than operators have, fewer than file descriptors. */
const MAX_CLIENTS = 64;
/** Places for root and the daemon's own user alone: no member of the daemon's group can lock them out. */
const RESERVED = 8;
/** How long a client may take to its first request. */
const FIRST_REQUEST_MS = 10_000;
/** Pause after a failed accept(2), most likely for want of file descriptors. */
const ACCEPT_RETRY_MS = 200;
/** What the path at which the socket is bound ends in. The socket is moved from there. */
const BOUND = "~";
/** How often a socket is bound anew that is gone before it is moved. A daemon that ends removes one. */
const BINDINGS = 10;
const ENDING = "the daemon is ending; start it again with `xsnd serve`";

/** Another daemon listens. */
export class AlreadyServedError extends XsndError {
  constructor(path: string) {
    super(`a daemon is already running: it answers at ${path}`);
  }
}

export class ControlServer implements Disposable {
  readonly #listener: Deno.UnixListener;
  readonly #peers: Peers;
  /** The clients; true: root or the daemon's own user. */
  readonly #clients = new Map<Deno.UnixConn, boolean>();
  #handler: ControlHandler | undefined;
  readonly #started = Promise.withResolvers<ControlHandler>();
  #isEnding = false;
  #isClosed = false;

  private constructor(
    readonly path: string,
    private readonly lock: SharedFile,
    gid: number | undefined,
    private readonly firstRequestMs: number,
  ) {
    this.#listener = bind(path, gid);
    this.#peers = new Peers(`${path}${BOUND}`);
    void this.#accept();
  }

  /**
   * Listens at `path`, for this user and the members of `group`. Replaces the socket of a dead daemon. Hangs up on a client whose
   * first request takes longer than `firstRequestMs`. Throws {@link AlreadyServedError} if another daemon listens, and
   * {@link XsndError} if there is no such group.
   */
  static async listen(
    path: string,
    group?: string,
    firstRequestMs = FIRST_REQUEST_MS,
  ): Promise<ControlServer> {
    const gid = group === undefined ? undefined : existingGroup(group);
    using stack = new DisposableStack();
    try {
      makeDirectory(dirname(path), gid);
      // Of several daemons that find no other one, a single one goes on. A daemon of a version without locks is found by its socket.
      const lock = takeLock(path);
      if (lock === undefined) throw new AlreadyServedError(path);
      stack.use(lock);
      if (await isServed(path)) throw new AlreadyServedError(path);
      const server = new ControlServer(path, lock, gid, firstRequestMs);
      stack.move();
      return server;
    } catch (error) {
      if (error instanceof XsndError) throw error;
      const isPermission = error instanceof Deno.errors.PermissionDenied;
      const what = `cannot listen at ${path}: ${fileProblem(error)}`;
      if (isPermission) throw new XsndError(`${what}; run as root`, Exit.permission, { cause: error });
      throw new XsndError(`${what}; XSND_CONTROL can name another path`, Exit.failed, { cause: error });
    }
  }

  /** Lets `handler` carry out all requests, those first that came while the daemon was starting. */
  serve(handler: ControlHandler): void {
    this.#handler = handler;
    this.#started.resolve(handler);
  }

  async #accept(): Promise<void> {
    while (!this.#isClosed) {
      try {
        const connection = await this.#listener.accept();
        const uid = this.#peers.newest();
        const isReserved = uid === 0 || uid === libc().getuid();
        const refusal = this.#refusal(isReserved);
        if (this.#isEnding) void letGo(connection, ENDING, Exit.noDaemon);
        else if (refusal === undefined) void this.#serve(connection, isReserved);
        else void letGo(connection, `${refusal}; try again when one of them is done`);
        // Otherwise pending connections would keep the event loop from closing others, and from serving guests.
        await turn();
      } catch (error) {
        if (this.#isClosed) return;
        getLogger(["xsnd", "control"]).warn("cannot accept a client: {error}", { error: String(error) });
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      }
    }
  }

  /** Why one more client has no place; undefined if it has. */
  #refusal(isReserved: boolean): string | undefined {
    if (this.#clients.size >= MAX_CLIENTS) return `the daemon has ${MAX_CLIENTS} clients already`;
    const others = [...this.#clients.values()].filter((isReserved) => !isReserved).length;
    if (isReserved || others < MAX_CLIENTS - RESERVED) return undefined;
    return `the daemon has ${others} clients already, and keeps ${RESERVED} places for root`;
  }

  async #serve(connection: Deno.UnixConn, isReserved: boolean): Promise<void> {
    this.#clients.set(connection, isReserved);
    const tooLate = `no request came within ${this.firstRequestMs / 1000} s`;
    const timer = setTimeout(() => letGo(connection, tooLate), this.firstRequestMs);
    try {
      const requests = lines(received(connection));
      for (let next = requests.next(), line = await next; !line.done; line = await next) {
        const gone = new AbortController();
        next = requests.next();
        next.catch(() => {}).finally(() => gone.abort());
        if (line.value === "") continue; // an empty line only ends the request before it
        clearTimeout(timer);
        for await (const response of this.#respond(line.value, gone.signal)) await send(connection, response);
        // A client with more requests lets other clients go first.
        if (gone.signal.aborted) await turn();
      }
    } catch (error) {
      // A client may go at any time.
      getLogger(["xsnd", "control"]).debug("a client has gone: {error}", { error: String(error) });
    } finally {
      clearTimeout(timer);
      this.#clients.delete(connection);
      connection[Symbol.dispose]();
    }
  }

  async *#respond(line: string, gone: AbortSignal): AsyncGenerator<ControlResponse> {
    try {
      const request = parseRequest(line);
      const handler = this.#handler ?? await unlessAborted(this.#started.promise, gone);
      const result = await handler(request, gone);
      if (!isAsyncIterable(result)) return yield success(result);
      for await (const part of result) yield success(part);
    } catch (error) {
      yield failure(error);
    }
  }

  /** Hangs up on all clients, and refuses others. No other daemon can start until the server is disposed of. */
  end(): void {
    this.#isEnding = true;
    // Not close(), which fails for one whose client has gone.
    for (const connection of this.#clients.keys()) connection[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.end();
    this.#isClosed = true;
    this.#listener.close();
    try {
      remove(this.path);
    } finally {
      this.lock[Symbol.dispose]();
    }
  }
}

/**
 * Binds a socket beside `path`, and moves it there. Deno removes what is at the path of a listener's address, some time after the
 * listener is closed: at `path` that could be another daemon's socket. Beside `path` that can be this one's: then binds again.
 */
function bind(path: string, gid: number | undefined): Deno.UnixListener {
  const bound = `${path}${BOUND}`;
  for (let left = BINDINGS;; left--) {
    remove(bound);
    const listener = forThisUserAlone(() => Deno.listen({ transport: "unix", path: bound }));
    try {
      share(bound, gid, 0o600, 0o660);
      Deno.renameSync(bound, path);
      return listener;
    } catch (error) {
      listener.close();
      if (!(error instanceof Deno.errors.NotFound) || left === 1) throw error;
    }
  }
}

/** Removes the file, if it is there. */
function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Takes the lock of the daemon that listens at `path`; undefined if another process has it. The lock ends with the process. */
function takeLock(path: string): SharedFile | undefined {
  const name = `${path}.lock`;
  Deno.openSync(name, { write: true, create: true, mode: 0o600 }).close();
  const file = SharedFile.open(name);
  if (file?.lock(0, 1)) return file;
  file?.[Symbol.dispose]();
  return undefined;
}

/** Sends a response. Throws if the client has gone. */
async function send(connection: Deno.UnixConn, response: ControlResponse): Promise<void> {
  let octets = new TextEncoder().encode(`${JSON.stringify(response)}\n`);
  while (octets.length > 0) octets = octets.subarray(await connection.write(octets));
}

/** Tells a client without a request why, and hangs up. */
async function letGo(
  connection: Deno.UnixConn,
  error: string,
  exitCode: ExitCode = Exit.failed,
): Promise<void> {
  try {
    await send(connection, refusal(error, exitCode));
  } catch {
    // The client has gone.
  } finally {
    connection[Symbol.dispose]();
  }
}

function existingGroup(name: string): number {
  const gid = groupId(name);
  if (gid !== undefined) return gid;
  throw new XsndError(
    `cannot share the control socket with the group ${JSON.stringify(name)}: there is none of that name; ` +
      "`getent group` lists them, `groupadd --system NAME` makes one",
    Exit.usage,
  );
}

/** Makes the socket's directory for the same users. An existing directory keeps its mode, unless it is the daemon's own. */
function makeDirectory(path: string, gid: number | undefined): void {
  // mkdir(2) of an existing parent wants the right to write above it, which the daemon does not have.
  if (!exists(dirname(path))) Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  try {
    Deno.mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    if (path !== RUN_DIRECTORY) return;
  }
  share(path, gid, 0o700, 0o750);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Runs `bind`, which binds a socket, so that no other user can connect before the socket has its mode. */
export function forThisUserAlone<T>(bind: () => T): T {
  const former = libc().umask(0o177); // Deno.umask would take one more permission
  try {
    return bind();
  } finally {
    libc().umask(former);
  }
}

/** Gives `path` to this user with the mode `alone`, or also to the group `gid` with the mode `shared`. */
function share(path: string, gid: number | undefined, alone: number, shared: number): void {
  Deno.chownSync(path, null, gid ?? libc().getgid());
  Deno.chmodSync(path, gid === undefined ? alone : shared);
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

function success(result: unknown): ControlResponse {
  return { version: CONTROL_VERSION, ok: true, result };
}

function refusal(error: string, exitCode: ExitCode): ControlResponse {
  return { version: CONTROL_VERSION, ok: false, error, exitCode };
}

function failure(error: unknown): ControlResponse {
  if (error instanceof XsndError) return refusal(error.message, error.exitCode);
  getLogger(["xsnd", "control"]).error("{error}", { error: String((error as Error).stack) });
  return refusal(`the daemon failed: ${(error as Error).message}`, Exit.failed);
}

/** Whether somebody listens at `path`. Removes the socket of a dead daemon, and nothing else. */
export async function isServed(path: string): Promise<boolean> {
  try {
    if (!Deno.lstatSync(path).isSocket) {
      throw new Deno.errors.AlreadyExists("a file that is no socket is there");
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  using daemon = await connectUnlessGone(path);
  if (daemon === undefined) remove(path);
  return daemon !== undefined;
}
