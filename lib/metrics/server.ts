/** The HTTP server that Prometheus gets the metrics from. */
import { getLogger } from "@logtape/logtape";
import type { Backend } from "../backend/backend.ts";
import { isServed } from "../control/server.ts";
import { Exit, XsndError } from "../error.ts";
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

export class MetricsServer implements AsyncDisposable {
  private constructor(private readonly server: Deno.HttpServer, private readonly address: MetricsAddress) {
    getLogger(["xsnd", "metrics"]).info("served at {address}", { address: formatMetricsAddress(address) });
  }

  /** Serves the metrics of `backend`. Throws {@link XsndError} if it cannot listen there. */
  static async listen(backend: Backend, address: MetricsAddress): Promise<MetricsServer> {
    const respond = (request: Request) => answer(backend, request);
    try {
      if (address.transport === "unix") {
        const { path } = address;
        if (await isServed(path)) throw new Deno.errors.AddrInUse("somebody answers there already");
        const server = new MetricsServer(Deno.serve({ path, ...QUIET }, respond), address);
        try {
          Deno.chmodSync(path, 0o600);
          return server;
        } catch (error) {
          await server[Symbol.asyncDispose]();
          throw error;
        }
      }
      const { hostname, port } = address;
      const server = Deno.serve({ hostname, port, ...QUIET }, respond);
      return new MetricsServer(server, { ...address, port: server.addr.port });
    } catch (error) {
      throw new XsndError(
        `cannot serve metrics at ${formatMetricsAddress(address)}: ${(error as Error).message}; ` +
          "--metrics can name another address",
        error instanceof Deno.errors.PermissionDenied ? Exit.permission : Exit.failed,
        { cause: error },
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.shutdown();
    if (this.address.transport !== "unix") return;
    try {
      Deno.removeSync(this.address.path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

async function answer(backend: Backend, { method, url }: Request): Promise<Response> {
  if (new URL(url).pathname !== "/metrics") {
    return new Response("metrics are at /metrics\n", { status: 404 });
  }
  if (method !== "GET" && method !== "HEAD") return new Response("GET it\n", { status: 405 });
  return new Response(await metricsText(backend), { headers: { "content-type": CONTENT_TYPE } });
}
