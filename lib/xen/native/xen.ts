// SPDX-License-Identifier: MIT
/** Real Xen, for the domain that this process runs in: XenStore, grants and event channels. */
import { Exit, XsndError } from "../../base/error.ts";
import {
  type EventChannels,
  type GrantSharer,
  type GrantTable,
  type Store,
  StoreError,
  type Xen,
} from "../ports.ts";
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

/** Reads this domain's id, which the toolstack writes to `domid` in the domain's directory. dom0 may lack that node. */
function ownDomid(store: Store): number {
  const domid = Number(store.read("domid") ?? 0);
  if (!Number.isInteger(domid) || domid < 0) {
    throw new TypeError(`XenStore's own domid is no domain id: ${domid}`);
  }
  return domid;
}

/**
 * Opens Xen for this domain. Opens no device before its use: a command that needs XenStore alone works without the kernel
 * modules. Throws {@link XsndError} (exit code 5: no Xen here, 4: not permitted).
 * @param connect connects to XenStore by calling its argument: once, or again and again (`reconnectingStore`)
 */
export function openNativeXen(connect = (open: () => Store) => open()): Xen {
  const store = connect(openStore);
  try {
    return new NativeXen(store);
  } catch (error) {
    store[Symbol.dispose]();
    if (!(error instanceof StoreError)) throw error;
    // xenstored has gone since the connection was made.
    throw new XsndError(`cannot open Xen: ${error.message}`, Exit.xenOrLibraryMissing, { cause: error });
  }
}
