/** The HTTP server that Prometheus gets the metrics from. */
import { getLogger } from "@logtape/logtape";
import type { Backend } from "../backend/backend.ts";
import { forThisUserAlone, isServed } from "../control/server.ts";
import { Exit, XsndError } from "../error.ts";
import { fileProblem } from "../file_error.ts";
import { formatMetricsAddress, type MetricsAddress } from "./address.ts";
import { CONTENT_TYPE, metricsText } from "./metrics.ts";

/** No line on stdout, and failures in the log. */
const QUIET = {
  onListen: () => {},
  onError: (error: unknown) => {
    getLogger(["xsnd", "metrics"]).error("{error}", {
      error: error instanceof Error ? error.stack ?? error.message : String(error),
    });
    return new Response("the metrics could not be read; see the daemon's log\n", { status: 500 });
  },
};

/** How soon it is listened again after that has failed, most likely for want of file descriptors. */
const RETRY_MS = 1000;

export class MetricsServer implements AsyncDisposable {
  readonly #log = getLogger(["xsnd", "metrics"]);
  #server: Deno.HttpServer | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #address: MetricsAddress;
  #isClosed = false;

  private constructor(private readonly backend: Backend, address: MetricsAddress) {
    this.#address = address;
    this.#start();
    this.#log.info("served at {address}", { address: formatMetricsAddress(this.#address) });
  }

  /** Serves the metrics of `backend`. Throws {@link XsndError} if it cannot listen there. */
  static async listen(backend: Backend, address: MetricsAddress): Promise<MetricsServer> {
    try {
      if (address.transport === "unix" && await isServed(address.path)) {
        throw new Deno.errors.AddrInUse("somebody answers there already");
      }
      return new MetricsServer(backend, address);
    } catch (error) {
      throw new XsndError(
        `cannot serve metrics at ${formatMetricsAddress(address)}: ${fileProblem(error)}; ` +
          "--metrics can name another address",
        error instanceof Deno.errors.PermissionDenied ? Exit.permission : Exit.failed,
        { cause: error },
      );
    }
  }

  /** Listens. Deno's server ends for good when it cannot accept a client: then another one takes its place. */
  #start(): void {
    const address = this.#address;
    const respond = (request: Request) => answer(this.backend, request);
    const server = address.transport === "unix"
      ? forThisUserAlone(() => Deno.serve({ path: address.path, ...QUIET }, respond))
      : Deno.serve({ hostname: address.hostname, port: address.port, ...QUIET }, respond);
    this.#server = server;
    if (address.transport !== "unix") {
      this.#address = { ...address, port: (server.addr as Deno.NetAddr).port };
    }
    server.finished.catch((error) => {
      this.#log.warn("cannot accept a client: {error}", { error: String(error) });
      this.#startAgain();
    });
  }

  #startAgain(): void {
    this.#server = undefined;
    if (this.#isClosed) return;
    this.#retry = setTimeout(() => {
      try {
        this.#removeSocket();
        this.#start();
      } catch {
        this.#startAgain(); // what keeps it from listening has been said
      }
    }, RETRY_MS);
  }

  #removeSocket(): void {
    if (this.#address.transport !== "unix") return;
    try {
      Deno.removeSync(this.#address.path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    await this.#server?.shutdown();
    this.#removeSocket();
  }
}

async function answer(backend: Backend, { method, url }: Request): Promise<Response> {
  if (new URL(url).pathname !== "/metrics") {
    return new Response("metrics are at /metrics\n", { status: 404 });
  }
  if (method !== "GET" && method !== "HEAD") return new Response("GET it\n", { status: 405 });
  return new Response(await metricsText(backend), { headers: { "content-type": CONTENT_TYPE } });
}
