// SPDX-License-Identifier: MIT
/** What the metrics' server answers. Nothing that a client sends is an exception, or a line of the log. */
import { getLogger } from "@logtape/logtape";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Backend } from "../daemon/backend.ts";
import { isLoopback, type MetricsAddress } from "./address.ts";
import { CONTENT_TYPE, metricsText } from "./metrics.ts";

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export async function respond(
  backend: Backend,
  transport: MetricsAddress["transport"],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { status, text, headers } = refusal(transport, request) ?? await metrics(backend);
  const octets = new TextEncoder().encode(text);
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": octets.length,
    connection: "close",
    ...headers,
  }).end(octets);
}

/** Why `request` does not get the metrics; undefined if it does. */
function refusal(
  transport: MetricsAddress["transport"],
  { method, url = "", headers }: IncomingMessage,
): Answer | undefined {
  // RFC 9112: a path, or, from who takes the server for a proxy, the path behind a scheme and a host. Two slashes would name a host.
  const [, authority, path] = /^(?:https?:\/\/([^/?#]+))?(\/(?!\/).*)$/i.exec(url) ?? [];
  const host = authority ?? headers.host;
  // A web page's own name may lead here too, once the page is loaded: to a browser the metrics would be the page's.
  if (transport === "tcp" && host !== undefined && !isLoopback(host.replace(/:\d*$/, ""))) {
    return { status: 403, text: "Host is to be localhost or a loopback address, as 127.0.0.1\n" };
  }
  if (method !== "GET" && method !== "HEAD") {
    return { status: 405, text: "GET it\n", headers: { allow: "GET, HEAD" } };
  }
  if (path === undefined) return { status: 400, text: "metrics are at /metrics\n" };
  if (path.split("?", 1)[0] !== "/metrics") return { status: 404, text: "metrics are at /metrics\n" };
}

async function metrics(backend: Backend): Promise<Answer> {
  try {
    return { status: 200, text: await metricsText(backend), headers: { "content-type": CONTENT_TYPE } };
  } catch (error) {
    const log = getLogger(["xsnd", "metrics"]);
    const { message, stack } = error as Error;
    log.error("the metrics cannot be read: {reason}", { reason: message });
    log.debug("{stack}", { stack });
    return { status: 500, text: "the metrics could not be read; see the daemon's log\n" };
  }
}
