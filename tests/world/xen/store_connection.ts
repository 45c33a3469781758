// SPDX-License-Identifier: MIT
/**
 * A connection to the world's xenstored, of a process or of a guest's kernel. The requests come as calls, and not as messages of the
 * wire protocol. Each throws XsError.
 */
import { Connection } from "../../../lib/xen/embedded/server/connection.ts";
import type { Transaction } from "../../../lib/xen/embedded/server/database.ts";
import { isUnprivileged, type Subject } from "../../../lib/xen/embedded/server/permissions.ts";
import { absolutePath } from "../../../lib/xen/embedded/server/store_paths.ts";
import type { Node } from "../../../lib/xen/embedded/server/tree.ts";
import { XENSTORE_PAYLOAD_MAX, XsError } from "../../../lib/xen/embedded/server/wire.ts";
import type { Xenstore } from "../../../lib/xen/embedded/server/xenstore.ts";
import type { Permission } from "../../../lib/xen/ports.ts";

/** A connection's client. */
export interface StoreClient {
  /** Who the client is, for counters. */
  readonly owner: object;
  /** A watch has fired. */
  event(path: string, token: string): void;
  /** The server has closed the connection. */
  lost(): void;
}

const noOutput = { reply: () => {}, event: () => {} };

export class StoreConnection extends Connection {
  /** path and token of each watch. */
  readonly #watches = new Set<string>();

  constructor(xenstore: Xenstore, subject: Subject, readonly client: StoreClient) {
    super(xenstore, subject, noOutput);
  }

  get watches(): number {
    return this.#watches.size;
  }

  read(t: number, path: string): Uint8Array {
    return this.#node(t, path).value;
  }

  /** The names of the node's children. */
  list(t: number, path: string): string[] {
    return [...this.#node(t, path).children.keys()];
  }

  getPermissions(t: number, path: string): readonly Permission[] {
    return this.#node(t, path).permissions;
  }

  /** @param value must not change any more */
  write(t: number, path: string, value: Uint8Array): void {
    if (path.length + 1 + value.length > XENSTORE_PAYLOAD_MAX) throw new XsError("E2BIG");
    const absolute = absolutePath(path, this.subject.domid);
    this.run(this.#transaction(t), (view) => view.write(this.subject, absolute, value));
  }

  mkdir(t: number, path: string): void {
    const absolute = absolutePath(path, this.subject.domid);
    this.run(this.#transaction(t), (view) => view.mkdir(this.subject, absolute));
  }

  remove(t: number, path: string): void {
    const absolute = absolutePath(path, this.subject.domid);
    this.run(this.#transaction(t), (view) => view.remove(this.subject, absolute));
  }

  setPermissions(t: number, path: string, permissions: readonly Permission[]): void {
    if (permissions.length === 0) throw new XsError("EINVAL");
    const absolute = absolutePath(path, this.subject.domid);
    this.run(this.#transaction(t), (view) => view.setPermissions(this.subject, absolute, permissions));
  }

  endTransaction(t: number, commits: boolean): void {
    const transaction = this.#transaction(t);
    if (transaction === undefined) throw new XsError("ENOENT");
    this.transactions.delete(t);
    if (commits) this.xenstore.fire(transaction.commit());
  }

  /** Adds a watch, and fires its first event. */
  watch(path: string, token: string): void {
    const fire = this.xenstore.watches.add(this, path, token);
    this.#watches.add(`${path}\0${token}`);
    fire();
  }

  unwatch(path: string, token: string): void {
    this.xenstore.watches.remove(this, path, token);
    this.#watches.delete(`${path}\0${token}`);
  }

  isIntroduced(domid: number): boolean {
    if (isUnprivileged(this.subject)) throw new XsError("EACCES");
    return this.xenstore.domains.has(domid);
  }

  override watchEvent(path: string, token: string): void {
    this.client.event(path, token);
  }

  override reset(): void {
    super.reset();
    this.#watches.clear();
  }

  #node(t: number, path: string): Node {
    const absolute = absolutePath(path, this.subject.domid);
    return this.run(this.#transaction(t), (view) => view.read(this.subject, absolute));
  }

  #transaction(t: number): Transaction | undefined {
    if (t === 0) return undefined;
    const transaction = this.transactions.get(t);
    if (transaction === undefined) throw new XsError("ENOENT");
    return transaction;
  }
}
