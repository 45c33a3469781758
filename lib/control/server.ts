/** The daemon's end of the control socket. */
import { getLogger } from "@logtape/logtape";
import { dirname } from "node:path";
import { groupId } from "../../ffi/groups.ts";
import { libc } from "../../ffi/libc.ts";
import { Exit, XsndError } from "../error.ts";
import { fileProblem } from "../file_error.ts";
import { type ControlRequest, type ControlResponse, RUN_DIRECTORY } from "./protocol.ts";
import { lines } from "./lines.ts";

/**
 * Carries out a request; what it throws as {@link XsndError} is for the user to read. A result that is an async iterable is
 * answered part by part; `gone` is aborted when the client hangs up, or wants something else.
 */
export type ControlHandler = (request: ControlRequest, gone: AbortSignal) => Promise<unknown>;

/** Clients that are served at a time: more than operators have, fewer than descriptors. */
const MAX_CLIENTS = 64;
/** Pause after a connection could not be accepted, most likely for want of file descriptors. */
const ACCEPT_RETRY_MS = 200;

export class ControlServer implements Disposable {
  readonly #listener: Deno.UnixListener;
  readonly #connections = new Set<Deno.UnixConn>();
  readonly #handler = Promise.withResolvers<ControlHandler>();
  #isClosed = false;

  private constructor(readonly path: string, gid: number | undefined) {
    this.#listener = forThisUserAlone(() => Deno.listen({ transport: "unix", path }));
    share(path, gid, 0o600, 0o660);
    void this.#accept();
  }

  /**
   * Listens at `path`, for this user and the members of `group`. Throws {@link XsndError} if a daemon does already, or there is no
   * such group. A socket that a dead one left is replaced.
   */
  static async listen(path: string, group?: string): Promise<ControlServer> {
    const gid = group === undefined ? undefined : existingGroup(group);
    try {
      if (await isServed(path)) throw new XsndError(`a daemon is already running: it answers at ${path}`);
      makeDirectory(dirname(path), gid);
      return new ControlServer(path, gid);
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
    this.#handler.resolve(handler);
  }

  async #accept(): Promise<void> {
    while (!this.#isClosed) {
      try {
        const connection = await this.#listener.accept();
        if (this.#connections.size < MAX_CLIENTS) void this.#serve(connection);
        else void refuse(connection);
      } catch (error) {
        if (this.#isClosed) return;
        getLogger(["xsnd", "control"]).warn("cannot accept a client: {error}", { error: String(error) });
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      }
    }
  }

  async #serve(connection: Deno.UnixConn): Promise<void> {
    this.#connections.add(connection);
    const encoder = new TextEncoder();
    const writer = connection.writable.getWriter();
    try {
      const requests = lines(connection.readable);
      for (let next = requests.next(), line = await next; !line.done; line = await next) {
        const gone = new AbortController();
        next = requests.next();
        next.catch(() => {}).finally(() => gone.abort());
        if (line.value === "") continue; // it has ended the answer before it
        for await (const response of this.#respond(line.value, gone.signal)) {
          await writer.write(encoder.encode(`${JSON.stringify(response)}\n`));
        }
      }
    } catch (error) {
      // The other end may go at any time; that is its own affair.
      getLogger(["xsnd", "control"]).debug("a client has gone: {error}", { error: String(error) });
    } finally {
      this.#connections.delete(connection);
      await writer.close().catch(() => {});
    }
  }

  async *#respond(line: string, gone: AbortSignal): AsyncGenerator<ControlResponse> {
    try {
      const handler = await this.#handler.promise;
      const result = await handler(JSON.parse(line), gone);
      if (!isAsyncIterable(result)) return yield { ok: true, result };
      for await (const part of result) yield { ok: true, result: part };
    } catch (error) {
      yield failure(error);
    }
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#listener.close();
    // Not close(), which fails for one whose client has gone.
    for (const connection of this.#connections) connection[Symbol.dispose]();
    try {
      Deno.removeSync(this.path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Tells one client too many so, and lets go of it. */
async function refuse(connection: Deno.UnixConn): Promise<void> {
  const error = `the daemon has ${MAX_CLIENTS} clients already; try again when one of them is done`;
  const response: ControlResponse = { ok: false, error, exitCode: Exit.failed };
  try {
    await connection.write(new TextEncoder().encode(`${JSON.stringify(response)}\n`));
  } catch {
    // It has gone by itself.
  } finally {
    connection.close();
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

function failure(error: unknown): ControlResponse {
  if (error instanceof XsndError) return { ok: false, error: error.message, exitCode: error.exitCode };
  if (error instanceof SyntaxError) {
    return { ok: false, error: "not JSON; write one JSON object a line", exitCode: Exit.usage };
  }
  getLogger(["xsnd", "control"]).error("{error}", { error: String((error as Error).stack) });
  return { ok: false, error: `the daemon failed: ${(error as Error).message}`, exitCode: Exit.failed };
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
