// SPDX-License-Identifier: MIT
/**
 * Opening Xen: the real one, or the embedded one inside of `xsnd sandbox`. Either is loaded only when it is asked
 * for, and with it the libraries it needs.
 */
import { Exit, XsndError } from "../base/error.ts";
import { DOMID_VARIABLE, SANDBOX_VARIABLE } from "../base/environment.ts";
import type { EventChannels, EventChannelsShare, Xen } from "./ports.ts";

function sandboxDomid(): number {
  const text = Deno.env.get(DOMID_VARIABLE) ?? "0";
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new XsndError(`${DOMID_VARIABLE} is a domain's number, and not ${JSON.stringify(text)}`, Exit.usage);
}

export interface OpenXenOptions {
  /** The domain to act as; on real Xen it can only be the one that this process runs in. In a sandbox by default `XSND_DOMID`, or 0. */
  readonly domid?: number;
  /** Directory of an embedded Xen; by default what `XSND_SANDBOX` says; without either, the real Xen is opened. */
  readonly sandbox?: string;
  /** Whether XenStore is connected to anew when it is lost (`reconnectingStore`): for daemons. */
  readonly reconnects?: boolean;
}

/** Opens this machine's Xen, or an embedded one. Throws {@link XsndError} (exit code 5: no Xen; 4: not permitted). */
export async function openXen(options: OpenXenOptions = {}): Promise<Xen> {
  const { sandbox = Deno.env.get(SANDBOX_VARIABLE), domid, reconnects = false } = options;
  const keep = reconnects ? (await import("./store/reconnecting_store.ts")).reconnectingStore : undefined;
  if (sandbox) {
    const { openEmbeddedXen } = await import("./embedded/xen.ts");
    return openEmbeddedXen(sandbox, domid ?? sandboxDomid(), keep);
  }
  const { openNativeXen } = await import("./native/xen.ts");
  const xen = openNativeXen(keep);
  if (domid === undefined || domid === xen.domid) return xen;
  xen[Symbol.dispose]();
  throw new XsndError(
    `cannot act as domain ${domid}: this is domain ${xen.domid}; run xsnd in that domain, or in \`xsnd sandbox\``,
    Exit.failed,
  );
}

/** The event channels that another thread of this process opened; disposing them leaves that one's open. */
export async function adoptEventChannels(share: EventChannelsShare): Promise<EventChannels> {
  if (share.kind === "embedded") {
    const { EmbeddedEventChannels } = await import("./embedded/events/event_channels.ts");
    return EmbeddedEventChannels.adopt(share);
  }
  const { adoptNativeEventChannels } = await import("./native/event_channels.ts");
  return adoptNativeEventChannels(share.handle);
}
