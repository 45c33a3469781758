// SPDX-License-Identifier: MIT
/**
 * The main program of the embedded Xen's server. The server is a process of its own, as a client's FFI calls block the client's
 * event loop:
 *
 *     xenstored.ts --directory DIR [--domain NAME]... [--private]
 *
 * Prints `ready` once the sockets accept connections, and ends on SIGTERM. With `--private` the server owns DIR: it removes DIR at
 * its end, and ends when its stdin closes, so also when its starter dies.
 */
import { parseArgs } from "node:util";
import { XenstoreServer } from "./server.ts";

const { values } = parseArgs({
  options: {
    directory: { type: "string" },
    domain: { type: "string", multiple: true, default: [] },
    private: { type: "boolean", default: false },
  },
});
const { directory } = values;
if (directory === undefined) throw new TypeError("xenstored.ts: --directory DIR is missing");

const ended = Promise.withResolvers<void>();
Deno.addSignalListener("SIGTERM", ended.resolve);
// A terminal sends these to all its foreground processes. The starter of this process decides on them.
for (const signal of ["SIGINT", "SIGHUP"] as const) Deno.addSignalListener(signal, () => {});
if (values.private) Deno.stdin.readable.pipeTo(new WritableStream()).then(ended.resolve, ended.resolve);

try {
  using _server = new XenstoreServer(directory, values.domain);
  console.log("ready");
  await ended.promise;
} finally {
  if (values.private) Deno.removeSync(directory, { recursive: true });
}
Deno.exit(0);
