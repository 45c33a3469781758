// SPDX-License-Identifier: MIT
/** One connection's state: its transactions and watches. */
import type { Transaction } from "./database.ts";
import { isUnprivileged, type Subject } from "./permissions.ts";
import type { Xenstore } from "./xenstore.ts";
import { Quota, type View } from "./view.ts";
import type { Watcher } from "./watches.ts";
import { type Message, nulTerminated, XENSTORE_PAYLOAD_MAX, Xs, XsError } from "./wire.ts";

/** Where a client's messages go. */
export interface ClientOutput {
  reply(message: Message): void;
  /** An event may be dropped while an equal one still waits to be sent. */
  event(message: Message): void;
}

export class Connection implements Watcher {
  readonly transactions = new Map<number, Transaction>();
  #lastTransaction = 0;
  #afterReply?: () => void;

  constructor(
    readonly xenstore: Xenstore,
    readonly subject: Subject,
    protected readonly output: ClientOutput,
  ) {
    xenstore.clients.add(this);
  }

  /** Runs `body` in the transaction, or on the current state and tells the watches what it changed. */
  run<T>(transaction: Transaction | undefined, body: (view: View) => T): T {
    if (transaction) return transaction.run(body);
    const { result, changes } = this.xenstore.database.run(body);
    this.xenstore.fire(changes);
    return result;
  }

  /** ENOSPC if the domain has too many transactions open. */
  beginTransaction(): number {
    const open = this.xenstore.clientsOf(this.subject.domid).reduce(
      (sum, { transactions }) => sum + transactions.size,
      0,
    );
    if (isUnprivileged(this.subject) && open >= Quota.transactions) throw new XsError("ENOSPC");
    do this.#lastTransaction = (this.#lastTransaction + 1) >>> 0; while (
      this.#lastTransaction === 0 || this.transactions.has(this.#lastTransaction)
    );
    this.transactions.set(this.#lastTransaction, this.xenstore.database.begin(this.subject));
    return this.#lastTransaction;
  }

  /** Does `action` when the reply to the request at hand is on its way. */
  afterReply(action: () => void): void {
    this.#afterReply = action;
  }

  /** Called when the reply to the request at hand is on its way. */
  protected replied(): void {
    this.#afterReply?.();
    this.#afterReply = undefined;
  }

  watchEvent(path: string, token: string): void {
    const payload = nulTerminated([path, token]);
    if (payload.length > XENSTORE_PAYLOAD_MAX) return; // as xenstored: nobody could take it
    this.output.event({ type: Xs.WATCH_EVENT, reqId: 0, txId: 0, payload });
  }

  /** RESET_WATCHES: as if the connection were new. */
  reset(): void {
    this.xenstore.watches.removeAll(this);
    this.transactions.clear();
  }

  /** Forgets the connection. */
  close(): void {
    this.reset();
    this.xenstore.clients.delete(this);
  }
}
