// SPDX-License-Identifier: MIT
/** The state of one connection: its open transactions, its watches, its output. */
import type { Transaction } from "./database.ts";
import { isUnprivileged, type Subject } from "./permissions.ts";
import type { Xenstore } from "./xenstore.ts";
import { Quota, type View } from "./view.ts";
import type { Watcher } from "./watches.ts";
import { type Message, nulTerminated, XENSTORE_PAYLOAD_MAX, Xs, XsError } from "./wire.ts";

/** Sends messages to the client. */
export interface ClientOutput {
  reply(message: Message): void;
  /** May drop an event while an equal one waits to be sent. */
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

  /** Runs `body` in the transaction; without one on the current state, and then fires the watches. */
  run<T>(transaction: Transaction | undefined, body: (view: View) => T): T {
    if (transaction) return transaction.run(body);
    const { result, changes } = this.xenstore.database.run(body);
    this.xenstore.fire(changes);
    return result;
  }

  /** Starts a transaction; returns its id. Throws ENOSPC if the domain has too many open. */
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

  /** Runs `action` once the reply to the current request is sent. */
  afterReply(action: () => void): void {
    this.#afterReply = action;
  }

  /** Called once the reply to the current request is sent. */
  protected replied(): void {
    this.#afterReply?.();
    this.#afterReply = undefined;
  }

  watchEvent(path: string, token: string): void {
    const payload = nulTerminated([path, token]);
    if (payload.length > XENSTORE_PAYLOAD_MAX) return; // as xenstored: no message can hold it
    this.output.event({ type: Xs.WATCH_EVENT, reqId: 0, txId: 0, payload });
  }

  /** RESET_WATCHES: makes the connection as good as new. */
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
