// SPDX-License-Identifier: MIT
/** Sees all changes below a node at once, with dom0's rights, over all deaths of xenstored. */
import type { StoreClient, StoreConnection } from "./store_connection.ts";
import type { Xenstored } from "./xenstored.ts";

export class StoreFollower implements StoreClient {
  readonly owner = this;
  #connection: StoreConnection | undefined;

  /** @param changed is called with the path of each change, and with `path` itself whenever xenstored is there again */
  constructor(
    private readonly xenstored: Xenstored,
    private readonly path: string,
    private readonly changed: (path: string) => void,
  ) {
    xenstored.returns.add(() => this.#follow());
    this.#follow();
  }

  #follow(): void {
    if (this.#connection !== undefined) return;
    this.#connection = this.xenstored.connect(0, this);
    this.#connection?.watch(this.path, "follower");
  }

  event(path: string): void {
    this.changed(path);
  }

  lost(): void {
    this.#connection = undefined;
  }
}
