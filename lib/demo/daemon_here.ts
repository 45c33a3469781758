// SPDX-License-Identifier: MIT
/** A daemon in this process: for the demo, and for programs that test a guest's sound against xsnd. */
import { controlSocketPath } from "../control/protocol.ts";
import { Daemon } from "../daemon/daemon.ts";
import { choosePolicy } from "../daemon/policy/choose_policy.ts";
import type { Xen } from "../xen/ports.ts";

/** How {@link startDaemon} starts a daemon. */
export interface DaemonHereOptions {
  /** Where the daemon listens for control clients; by default where `xsnd status` and the others look. */
  readonly controlSocket?: string;
}

/**
 * Starts a daemon in this process, as `xsnd serve` does: it serves the cards whose backend is `xen`'s domain, until it is
 * disposed. Throws {@link XsndError} if another daemon listens already, and if something that it needs is missing.
 *
 * @example
 * ```ts
 * import { ControlClient, openXen, startDaemon, withSandbox } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * await withSandbox({ domains: ["domU"] }, async ({ directory, controlSocket }) => {
 *   using xen = await openXen({ sandbox: directory });
 *   await using _daemon = await startDaemon(xen, { controlSocket });
 *   using client = await ControlClient.connect(1000, controlSocket);
 *   assert.equal((await client.call({ command: "status" })).pid, Deno.pid);
 * });
 * ```
 */
export function startDaemon(xen: Xen, options: DaemonHereOptions = {}): Promise<AsyncDisposable> {
  const { controlSocket = controlSocketPath() } = options;
  return Daemon.start(xen, { controlSocket, readPolicy: choosePolicy(xen.store) });
}
