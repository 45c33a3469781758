// SPDX-License-Identifier: MIT
/** The HTTP server of the metrics. It bounds connections and time, so that clients cannot disturb guests. */
import { getLogger } from "@logtape/logtape";
import { createServer } from "node:http";
import { Duplex } from "node:stream";
import type { Backend } from "../daemon/backend.ts";
import { turn } from "../control/lines.ts";
import { forThisUserAlone, isServed } from "../control/control_server.ts";
import { Exit, XsndError } from "../base/error.ts";
import { fileProblem } from "../base/file_error.ts";
import { formatMetricsAddress, type MetricsAddress } from "./address.ts";
import { respond } from "./respond.ts";

/** The most connections at a time. A further connection ends the oldest one; a response takes milliseconds. */
const MAX_CONNECTIONS = 32;
/** The longest duration of a connection, whatever its client does. Each connection has one response. */
const LIFETIME_MS = 10_000;
/** Octets to read from a connection at a time; a scrape's request fits. */
const PART_OCTETS = 1024;
/** The response to octets that are not HTTP. */
const BAD_REQUEST = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
/** Errors of accept() for a client that has gone already. The next accept() follows at once. */
const { NotConnected, ConnectionAborted, ConnectionReset } = Deno.errors;
const CLIENT_GONE = [NotConnected, ConnectionAborted, ConnectionReset];
/** Pause after any other error of accept(), most likely a lack of file descriptors. */
const ACCEPT_RETRY_MS = 1000;

export class MetricsServer implements Disposable {
  readonly #log = getLogger(["xsnd", "metrics"]);
  readonly #listener: Deno.Listener;
  /** Parses HTTP only. Its own listener is not used, since that stops for good when it cannot accept a client. */
  readonly #http = createServer();
  /** Open connections, the oldest first. */
  readonly #connections = new Set<Duplex>();
  #isClosed = false;

  private constructor(backend: Backend, private readonly address: MetricsAddress) {
    const { transport } = address;
    this.#listener = transport === "unix"
      ? forThisUserAlone(() => Deno.listen({ transport, path: address.path }))
      : Deno.listen({ hostname: address.hostname, port: address.port });
    const answered = new WeakSet<object>();
    this.#http.on("request", (request, response) => {
      // One read may contain many requests, and each response takes milliseconds of the thread that serves guests.
      if (answered.has(request.socket)) return this.#end(request.socket);
      answered.add(request.socket);
      respond(backend, transport, request, response)
        .catch((error) => this.#log.debug("a client is gone: {error}", { error: String(error) }));
    });
    this.#http.on("clientError", (_error, socket) => void socket.end(BAD_REQUEST));
    void this.#accept();
    const { addr } = this.#listener;
    const port = addr.transport === "tcp" ? { port: addr.port } : {};
    this.#log.info("served at {address}", { address: formatMetricsAddress({ ...address, ...port }) });
  }

  /** Serves the metrics of `backend`. Throws {@link XsndError} if the address is not usable. */
  static async listen(backend: Backend, address: MetricsAddress): Promise<MetricsServer> {
    try {
      if (address.transport === "unix" && await isServed(address.path)) {
        throw new Deno.errors.AddrInUse("another server answers there");
      }
      return new MetricsServer(backend, address);
    } catch (error) {
      throw new XsndError(
        `cannot serve metrics at ${formatMetricsAddress(address)}: ${fileProblem(error)}; ` +
          "choose another address with --metrics",
        error instanceof Deno.errors.PermissionDenied ? Exit.permission : Exit.failed,
        { cause: error },
      );
    }
  }

  async #accept(): Promise<void> {
    while (!this.#isClosed) {
      try {
        this.#serve(await this.#listener.accept());
        // Without this turn, a queue of connections would delay the closing of old ones, and the service of guests.
        await turn();
      } catch (error) {
        if (this.#isClosed) return;
        if (CLIENT_GONE.some((kind) => error instanceof kind)) continue;
        this.#log.warn("cannot accept a client: {error}", { error: String(error) });
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      }
    }
  }

  #serve(connection: Deno.Conn): void {
    const [oldest] = this.#connections;
    if (oldest !== undefined && this.#connections.size === MAX_CONNECTIONS) this.#end(oldest);
    const ends = { readable: readableOf(connection), writable: connection.writable };
    const socket = Duplex.fromWeb(ends as unknown as Parameters<typeof Duplex.fromWeb>[0]);
    this.#connections.add(socket);
    const timer = setTimeout(() => this.#end(socket), LIFETIME_MS);
    socket.on("error", () => {}); // the client may disconnect at any time
    socket.on("close", () => {
      clearTimeout(timer);
      this.#connections.delete(socket);
      connection[Symbol.dispose]();
    });
    this.#http.emit("connection", socket);
  }

  #end(socket: Duplex): void {
    this.#connections.delete(socket);
    socket.destroy();
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#listener.close();
    for (const socket of this.#connections) this.#end(socket);
    if (this.address.transport !== "unix") return;
    try {
      Deno.removeSync(this.address.path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** The input of `connection`, in parts too small for many requests. */
function readableOf(connection: Deno.Conn): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const buffer = new Uint8Array(PART_OCTETS);
      const count = await connection.read(buffer);
      if (count === null) controller.close();
      else controller.enqueue(buffer.subarray(0, count));
    },
  });
}
