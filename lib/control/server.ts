/** The daemon's end of the control socket. */
import { getLogger } from "@logtape/logtape";
import { dirname } from "node:path";
import { Exit, XsndError } from "../error.ts";
import type { ControlRequest, ControlResponse } from "./protocol.ts";
import { lines } from "./lines.ts";

/** Carries out a request; what it throws as {@link XsndError} is for the user to read. */
export type ControlHandler = (request: ControlRequest) => Promise<unknown>;

export class ControlServer implements Disposable {
  readonly #listener: Deno.UnixListener;
  readonly #connections = new Set<Deno.UnixConn>();
  readonly #handler = Promise.withResolvers<ControlHandler>();

  private constructor(readonly path: string) {
    this.#listener = Deno.listen({ transport: "unix", path });
    Deno.chmodSync(path, 0o600);
    void this.#accept();
  }

  /** Listens at `path`; throws {@link XsndError} if a daemon does already. A socket that a dead one left is replaced. */
  static async listen(path: string): Promise<ControlServer> {
    try {
      Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
      if (await isServed(path)) throw new XsndError(`a daemon is already running: it answers at ${path}`);
      Deno.removeSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.PermissionDenied) {
        throw new XsndError(`cannot listen at ${path}: ${error.message}; run as root`, Exit.permission);
      }
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return new ControlServer(path);
  }

  /** From now on `handler` carries out what clients ask for, and have asked for while the daemon was starting. */
  serve(handler: ControlHandler): void {
    this.#handler.resolve(handler);
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) void this.#serve(connection);
  }

  async #serve(connection: Deno.UnixConn): Promise<void> {
    this.#connections.add(connection);
    const encoder = new TextEncoder();
    const writer = connection.writable.getWriter();
    try {
      for await (const line of lines(connection.readable)) {
        const response = await this.#respond(line);
        await writer.write(encoder.encode(`${JSON.stringify(response)}\n`));
      }
    } catch (error) {
      // The other end may go at any time; that is its own affair.
      getLogger(["xsnd", "control"]).debug("a client has gone: {error}", { error: String(error) });
    } finally {
      this.#connections.delete(connection);
      await writer.close().catch(() => {});
    }
  }

  async #respond(line: string): Promise<ControlResponse> {
    try {
      const handler = await this.#handler.promise;
      return { ok: true, result: await handler(JSON.parse(line)) };
    } catch (error) {
      if (error instanceof XsndError) return { ok: false, error: error.message, exitCode: error.exitCode };
      if (error instanceof SyntaxError) {
        return { ok: false, error: `not JSON: ${error.message}`, exitCode: Exit.usage };
      }
      getLogger(["xsnd", "control"]).error("{error}", { error: String((error as Error).stack) });
      return { ok: false, error: `the daemon failed: ${(error as Error).message}`, exitCode: Exit.failed };
    }
  }

  [Symbol.dispose](): void {
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

async function isServed(path: string): Promise<boolean> {
  Deno.statSync(path);
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}
