// SPDX-License-Identifier: MIT
/**
 * The embedded Xen's server, a process of its own (a client's FFI call blocks its event loop):
 *
 *     xenstored.ts --directory DIR [--domain NAME]... [--private]
 *
 * Prints `ready` once it can be reached, and ends on SIGTERM. With `--private`, DIR is the server's own: it removes DIR
 * when it ends, and ends when its stdin closes, that is when whoever started it has died of whatever.
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
// A terminal sends these to all its foreground processes; the one that started this one decides what they mean.
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
