// SPDX-License-Identifier: MIT
/** The address of the metrics server: a UNIX socket or a loopback address, since metrics have no access control. */

export type MetricsAddress =
  | { readonly transport: "unix"; readonly path: string }
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: number };

const LOOPBACK = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Whether `host`, a name or an address, always means this machine. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host.toLowerCase());
}

/** Reads `unix:PATH` or `HOST:PORT`, HOST being a loopback address. Throws RangeError. */
export function parseMetricsAddress(text: string): MetricsAddress {
  if (text.startsWith("unix:")) {
    if (text.length > "unix:".length) return { transport: "unix", path: text.slice("unix:".length) };
    throw new RangeError("unix: needs a path, as in unix:/run/xsnd/metrics.sock.");
  }
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65535) {
    throw new RangeError("it is unix:PATH or HOST:PORT, as unix:/run/xsnd/metrics.sock or 127.0.0.1:9465.");
  }
  if (!isLoopback(host)) {
    throw new RangeError(
      `${host} is not a loopback address; use 127.0.0.1:${port}, and a proxy with access control for other machines.`,
    );
  }
  // The name localhost could resolve to another address.
  const hostname = host === "localhost" ? "127.0.0.1" : host.replace(/[[\]]/g, "");
  return { transport: "tcp", hostname, port: Number(port) };
}

export function formatMetricsAddress(address: MetricsAddress): string {
  if (address.transport === "unix") return `unix:${address.path}`;
  const { hostname, port } = address;
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
