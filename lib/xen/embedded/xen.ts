// SPDX-License-Identifier: MIT
/** The three ports inside an embedded Xen, for a process that acts as one of its domains. */
import { Errno } from "../../../ffi/libc/failed_call.ts";
import { openStore } from "../store/library_store.ts";
import type { EventChannels, GrantSharer, GrantTable, Store, Xen } from "../ports.ts";
import { EmbeddedEventChannels } from "./events/event_channels.ts";
import { EmbeddedGrantSharer, EmbeddedGrantTable } from "./pages/grants.ts";
import { evtchnLockPath, socketPath } from "./layout.ts";
import { SharedFile } from "./shared_file.ts";

/** Octet of the file of locks that is held while a store is opened. */
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
 * Opens the embedded Xen in `directory` as its domain `domid`. Throws {@link XsndError} with exit code 5 if
 * there is no such domain, or no embedded Xen any more.
 */
export function openEmbeddedXen(
  directory: string,
  domid: number,
  keep = (open: () => Store, _isGone?: () => boolean) => open(),
): Xen {
  const open = () => {
    using _turn = takeTurn(directory);
    return openStore(socketPath(directory, domid));
  };
  const isGone = () => {
    using file = SharedFile.open(evtchnLockPath(directory));
    return file === undefined;
  };
  return new EmbeddedXen(directory, domid, keep(open, isGone));
}

/**
 * The environment, by which libxenstore finds its socket, is the whole process's: its threads take turns. Where the file is
 * missing, or not for this user, the store is so, too, and that is for openStore() to say.
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
