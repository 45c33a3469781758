// SPDX-License-Identifier: MIT
/** The three ports on real Xen, for the domain that this process runs in. */
import type { EventChannels, GrantSharer, GrantTable, Store, Xen } from "../ports.ts";
import { openNativeEventChannels } from "./event_channels.ts";
import { NativeGrantSharer, NativeGrantTable } from "./grants.ts";
import { openStore } from "../store/library_store.ts";

class NativeXen implements Xen {
  readonly kind = "native";
  readonly domid: number;

  constructor(readonly store: Store) {
    this.domid = ownDomid(store);
  }

  openGrantTable(): GrantTable {
    return new NativeGrantTable();
  }

  openGrantSharer(): GrantSharer {
    return new NativeGrantSharer();
  }

  openEventChannels(): EventChannels {
    return openNativeEventChannels();
  }

  [Symbol.dispose](): void {
    this.store[Symbol.dispose]();
  }
}

/** A relative path is one below the domain's own directory, where the toolstack writes `domid`; dom0 may lack it. */
function ownDomid(store: Store): number {
  const domid = Number(store.read("domid") ?? 0);
  if (!Number.isInteger(domid) || domid < 0) {
    throw new TypeError(`XenStore's own domid is no domain id: ${domid}`);
  }
  return domid;
}

/**
 * Opens Xen for this domain. The devices are opened when asked for, so that what needs XenStore alone works where
 * the modules are not loaded. `keep` is how the store is connected to: `reconnectingStore`, or once. Throws {@link XsndError} (exit code 5: no Xen here, 4: not permitted).
 */
export function openNativeXen(keep = (open: () => Store) => open()): Xen {
  const store = keep(openStore);
  try {
    return new NativeXen(store);
  } catch (error) {
    store[Symbol.dispose]();
    throw error;
  }
}
