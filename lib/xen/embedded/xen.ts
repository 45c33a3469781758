/** The three ports inside an embedded Xen, for a process that acts as one of its domains. */
import { openStore } from "../native/store.ts";
import type { EventChannels, GrantSharer, GrantTable, Store, Xen } from "../ports.ts";
import { EmbeddedEventChannels } from "./event_channels.ts";
import { EmbeddedGrantSharer, EmbeddedGrantTable } from "./grants.ts";
import { socketPath } from "./layout.ts";

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
export function openEmbeddedXen(directory: string, domid: number): Xen {
  return new EmbeddedXen(directory, domid, openStore(socketPath(directory, domid)));
}
