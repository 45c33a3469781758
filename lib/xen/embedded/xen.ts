// SPDX-License-Identifier: MIT
/** An embedded Xen, for a process that acts as one of its domains: XenStore, grants and event channels. */
import { Errno } from "../../../ffi/libc/failed_call.ts";
import { openStore } from "../store/library_store.ts";
import type { EventChannels, GrantSharer, GrantTable, Store, Xen } from "../ports.ts";
import { EmbeddedEventChannels } from "./events/event_channels.ts";
import { EmbeddedGrantSharer, EmbeddedGrantTable } from "./pages/grants.ts";
import { evtchnLockPath, socketPath } from "./layout.ts";
import { SharedFile } from "../../../ffi/libc/shared_file.ts";

/** Octet of `evtchn.lock` that a thread locks while it opens XenStore. */
const OPENING = 1;

class EmbeddedXen implements Xen {
  readonly kind = "embedded";

  constructor(private readonly directory: string, readonly domid: number, readonly store: Store) {}

  openGrantTable(): GrantTable {
    return new EmbeddedGrantTable(this.directory, this.domid);
  }

  openGrantSharer(): GrantSharer {
    return new EmbeddedGrantSharer(this.directory, this.domid);
  }

  openEventChannels(): EventChannels {
    return EmbeddedEventChannels.open(this.directory, this.domid);
  }

  [Symbol.dispose](): void {
    this.store[Symbol.dispose]();
  }
}

/**
 * Opens the embedded Xen in `directory` as its domain `domid`. Throws {@link XsndError} with exit code 5 if the domain or the
 * embedded Xen is gone.
 * @param connect connects to XenStore by calling its first argument: once, or again and again (`reconnectingStore`)
 */
export function openEmbeddedXen(
  directory: string,
  domid: number,
  connect = (open: () => Store, _isGone?: () => boolean) => open(),
): Xen {
  const open = () => {
    using _turn = takeTurn(directory);
    return openStore(socketPath(directory, domid));
  };
  const isGone = () => {
    using file = SharedFile.open(evtchnLockPath(directory));
    return file === undefined;
  };
  return new EmbeddedXen(directory, domid, connect(open, isGone));
}

/**
 * Locks out the other threads of this process: libxenstore finds its socket by an environment variable, which all threads share.
 * Undefined if the lock's file is missing or forbidden. Then the store is, too, and openStore() reports that.
 */
function takeTurn(directory: string): SharedFile | undefined {
  try {
    const turn = SharedFile.open(evtchnLockPath(directory));
    turn?.lockWait(OPENING, 1);
    return turn;
  } catch (error) {
    if (!(error instanceof Errno)) throw error;
    return undefined;
  }
}
