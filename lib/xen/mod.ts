// SPDX-License-Identifier: MIT
/**
 * Opens Xen: this machine's, or the embedded one of `xsnd sandbox`. Loads the code and the libraries of one only when it is
 * opened.
 */
import { Exit, XsndError } from "../base/error.ts";
import { DOMID_VARIABLE, SANDBOX_VARIABLE } from "../base/environment.ts";
import type { EventChannels, EventChannelsShare, Xen } from "./ports.ts";

function sandboxDomid(): number {
  const text = Deno.env.get(DOMID_VARIABLE) ?? "0";
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new XsndError(
    `${DOMID_VARIABLE} must be a domain's number, and is ${JSON.stringify(text)}`,
    Exit.usage,
  );
}

/** Which Xen to open, and as whom. */
export interface OpenXenOptions {
  /** The domain to act as. On real Xen only this process's own domain is possible. Default in a sandbox: `XSND_DOMID`, or 0. */
  readonly domid?: number;
  /** Directory of an embedded Xen; default `XSND_SANDBOX`. Without either this machine's Xen is opened. */
  readonly sandbox?: string;
  /** Whether a lost XenStore connection is made again (`reconnectingStore`): for daemons. */
  readonly reconnects?: boolean;
}

/**
 * Opens this machine's Xen, or an embedded one. Throws {@link XsndError} (exit code 5: no Xen; 4: not permitted).
 *
 * @example
 * ```ts
 * import { openXen, withSandbox } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * await withSandbox({ domains: ["domU"] }, async ({ directory }) => {
 *   using xen = await openXen({ sandbox: directory });
 *   assert.deepEqual([xen.kind, xen.domid], ["embedded", 0]);
 *   xen.store.write("/local/domain/1/data/hello", "world");
 *   assert.equal(xen.store.read("/local/domain/1/data/hello"), "world");
 * });
 * ```
 */
export async function openXen(options: OpenXenOptions = {}): Promise<Xen> {
  const { sandbox = Deno.env.get(SANDBOX_VARIABLE), domid, reconnects = false } = options;
  const connect = reconnects ? (await import("./store/reconnecting_store.ts")).reconnectingStore : undefined;
  if (sandbox) {
    const { openEmbeddedXen } = await import("./embedded/xen.ts");
    return openEmbeddedXen(sandbox, domid ?? sandboxDomid(), connect);
  }
  const { openNativeXen } = await import("./native/xen.ts");
  const xen = openNativeXen(connect);
  if (domid === undefined || domid === xen.domid) return xen;
  xen[Symbol.dispose]();
  throw new XsndError(
    `cannot act as domain ${domid}: this is domain ${xen.domid}; run xsnd in that domain, or in \`xsnd sandbox\``,
    Exit.failed,
  );
}

/** The event channels that another thread of this process has opened. Disposing the result leaves them open. */
export async function adoptEventChannels(share: EventChannelsShare): Promise<EventChannels> {
  if (share.kind === "embedded") {
    const { EmbeddedEventChannels } = await import("./embedded/events/event_channels.ts");
    return EmbeddedEventChannels.adopt(share);
  }
  const { adoptNativeEventChannels } = await import("./native/event_channels.ts");
  return adoptNativeEventChannels(share.handle);
}
