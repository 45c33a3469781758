// SPDX-License-Identifier: MIT
/** The daemon's end of the control socket. */
import { getLogger } from "@logtape/logtape";
import { dirname } from "node:path";
import { groupId } from "../../ffi/libc/groups.ts";
import { libc } from "../../ffi/libc/libc.ts";
import { Peers } from "../../ffi/libc/peers.ts";
import { Exit, type ExitCode, XsndError } from "../base/error.ts";
import { fileProblem } from "../base/file_error.ts";
import { unlessAborted } from "../base/signals.ts";
import { lines, received, turn } from "./lines.ts";
import { CONTROL_VERSION, type ControlRequest, type ControlResponse, RUN_DIRECTORY } from "./protocol.ts";
import { parseRequest } from "./request_schema.ts";

/**
 * Carries out a request; what it throws as {@link XsndError} is for the user to read. A result that is an async iterable is
 * answered part by part. `gone` is aborted when the client hangs up, or wants something else: what the request still waits for
 * is not to be done then, and the client keeps its place until the handler has ended.
 */
export type ControlHandler = (request: ControlRequest, gone: AbortSignal) => Promise<unknown>;

/** Clients that are served at a time: more than operators have, fewer than descriptors. */
const MAX_CLIENTS = 64;
/** Of those, how many are root or the daemon's own user, at least: no member of the daemon's group can lock them out. */
const RESERVED = 8;
/** How long a client may take to ask for something, at first. */
const FIRST_REQUEST_MS = 10_000;
/** Pause after a connection could not be accepted, most likely for want of file descriptors. */
const ACCEPT_RETRY_MS = 200;

export class ControlServer implements Disposable {
  readonly #listener: Deno.UnixListener;
  readonly #peers: Peers;
  /** Connections, and whether each has a place that is nobody else's. */
  readonly #clients = new Map<Deno.UnixConn, boolean>();
  #handler: ControlHandler | undefined;
  readonly #started = Promise.withResolvers<ControlHandler>();
  #isClosed = false;

  private constructor(
    readonly path: string,
    gid: number | undefined,
    private readonly firstRequestMs: number,
  ) {
    this.#listener = forThisUserAlone(() => Deno.listen({ transport: "unix", path }));
    this.#peers = new Peers(path);
    share(path, gid, 0o600, 0o660);
    void this.#accept();
  }

  /**
   * Listens at `path`, for this user and the members of `group`. Throws {@link XsndError} if a daemon does already, or there is no
   * such group. A socket that a dead one left is replaced. A client that takes longer than `firstRequestMs` to ask is let go.
   */
  static async listen(
    path: string,
    group?: string,
    firstRequestMs = FIRST_REQUEST_MS,
  ): Promise<ControlServer> {
    const gid = group === undefined ? undefined : existingGroup(group);
    try {
      if (await isServed(path)) throw new XsndError(`a daemon is already running: it answers at ${path}`);
      makeDirectory(dirname(path), gid);
      return new ControlServer(path, gid, firstRequestMs);
    } catch (error) {
      if (error instanceof XsndError) throw error;
      const isPermission = error instanceof Deno.errors.PermissionDenied;
      const what = `cannot listen at ${path}: ${fileProblem(error)}`;
      if (isPermission) throw new XsndError(`${what}; run as root`, Exit.permission, { cause: error });
      throw new XsndError(`${what}; XSND_CONTROL can name another path`, Exit.failed, { cause: error });
    }
  }

  /** From now on `handler` carries out what clients ask for, and have asked for while the daemon was starting. */
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
        if (refusal === undefined) void this.#serve(connection, isReserved);
        else void letGo(connection, `${refusal}; try again when one of them is done`);
        // Or connections that wait to be accepted keep those that have gone from being closed, and guests from being served.
        await turn();
      } catch (error) {
        if (this.#isClosed) return;
        getLogger(["xsnd", "control"]).warn("cannot accept a client: {error}", { error: String(error) });
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      }
    }
  }

  /** Why there is no place for one more client, if there is none. */
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
        if (line.value === "") continue; // it has ended the request before it
        clearTimeout(timer);
        for await (const response of this.#respond(line.value, gone.signal)) await send(connection, response);
        // Who has more to ask lets others go first.
        if (gone.signal.aborted) await turn();
      }
    } catch (error) {
      // The other end may go at any time; that is its own affair.
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

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#listener.close();
    // Not close(), which fails for one whose client has gone.
    for (const connection of this.#clients.keys()) connection[Symbol.dispose]();
    try {
      Deno.removeSync(this.path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Sends a line; throws if the client has gone. */
async function send(connection: Deno.UnixConn, response: ControlResponse): Promise<void> {
  let octets = new TextEncoder().encode(`${JSON.stringify(response)}\n`);
  while (octets.length > 0) octets = octets.subarray(await connection.write(octets));
}

/** Lets go of a client that has no request under way, and says why. */
async function letGo(connection: Deno.UnixConn, error: string): Promise<void> {
  try {
    await send(connection, refusal(error, Exit.failed));
  } catch {
    // It has gone by itself.
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

/** Makes the socket's directory, for the same users; one that is there already keeps its own if it is not the daemon's. */
function makeDirectory(path: string, gid: number | undefined): void {
  // Asked for first: to make what is there already takes the right to write above it, which the daemon has not got.
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

/** Runs what binds a socket: nobody else can connect to it, not even before its mode is what it is to be. */
export function forThisUserAlone<T>(bind: () => T): T {
  const former = libc().umask(0o177); // not Deno.umask, which is a permission more
  try {
    return bind();
  } finally {
    libc().umask(former);
  }
}

/** Gives `path` to this user with the mode `alone`, or to the group `gid` as well with the mode `shared`. */
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

/** Whether somebody listens at `path`; what a dead daemon left there is removed. Nothing else ever is. */
export async function isServed(path: string): Promise<boolean> {
  try {
    if (!Deno.lstatSync(path).isSocket) {
      throw new Deno.errors.AlreadyExists("a file that is no socket is there");
    }
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    Deno.removeSync(path);
    return false;
  }
}
