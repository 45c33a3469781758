// SPDX-License-Identifier: MIT
/** Answers HTTP requests for the metrics. No request of a client causes an exception or a log line. */
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

/** The error response to `request`, or undefined for a valid request. */
function refusal(
  transport: MetricsAddress["transport"],
  { method, url = "", headers }: IncomingMessage,
): Answer | undefined {
  // RFC 9112: the target is a path, or for a proxy scheme, host and path. A path with two slashes would name a host.
  const [, authority, path] = /^(?:https?:\/\/([^/?#]+))?(\/(?!\/).*)$/i.exec(url) ?? [];
  const host = authority ?? headers.host;
  // DNS rebinding: a web page's host name may resolve to this server, and the browser would give the page the metrics.
  if (transport === "tcp" && host !== undefined && !isLoopback(host.replace(/:\d*$/, ""))) {
    return { status: 403, text: "Host must be localhost or a loopback address, as 127.0.0.1\n" };
  }
  if (method !== "GET" && method !== "HEAD") {
    return { status: 405, text: "only GET and HEAD are allowed\n", headers: { allow: "GET, HEAD" } };
  }
  if (path === undefined) return { status: 400, text: "the metrics are at /metrics\n" };
  if (path.split("?", 1)[0] !== "/metrics") return { status: 404, text: "the metrics are at /metrics\n" };
}

async function metrics(backend: Backend): Promise<Answer> {
  try {
    return { status: 200, text: await metricsText(backend), headers: { "content-type": CONTENT_TYPE } };
  } catch (error) {
    const log = getLogger(["xsnd", "metrics"]);
    const { message, stack } = error as Error;
    log.error("cannot read the metrics: {reason}", { reason: message });
    log.debug("{stack}", { stack });
    return { status: 500, text: "cannot read the metrics; see the daemon's log\n" };
  }
}
