/** One connection's state, and the way of a request through it; knows nothing of sockets. */
import type { Transaction } from "./database.ts";
import { isUnprivileged, type Subject } from "./permissions.ts";
import { handlers } from "./requests.ts";
import type { XenstoreCore } from "./core.ts";
import { Quota, type View } from "./view.ts";
import type { Watcher } from "./watches.ts";
import { type Message, nulTerminated, XENSTORE_PAYLOAD_MAX, Xs, XsError } from "./wire.ts";

/** Where a client's messages go. */
export interface ClientOutput {
  reply(message: Message): void;
  /** An event may be dropped while an equal one still waits to be sent. */
  event(message: Message): void;
}

export class Client implements Watcher {
  readonly transactions = new Map<number, Transaction>();
  #lastTransaction = 0;
  #afterReply?: () => void;

  constructor(readonly core: XenstoreCore, readonly subject: Subject, private readonly output: ClientOutput) {
    core.clients.add(this);
  }

  /** Answers one request. Never throws for anything that a client can send. */
  handle(request: Message): void {
    const { reqId, txId } = request;
    try {
      const payload = this.#answer(request);
      if (payload.length > XENSTORE_PAYLOAD_MAX) throw new XsError("E2BIG");
      this.output.reply({ type: request.type, reqId, txId, payload });
    } catch (error) {
      if (!(error instanceof XsError)) throw error;
      this.output.reply({ type: Xs.ERROR, reqId, txId, payload: nulTerminated([error.code]) });
    }
    this.#afterReply?.();
    this.#afterReply = undefined;
  }

  /** Runs `body` in the transaction, or on the current state and tells the watches what it changed. */
  run<T>(transaction: Transaction | undefined, body: (view: View) => T): T {
    if (transaction) return transaction.run(body);
    const { result, changes } = this.core.database.run(body);
    this.core.fire(changes);
    return result;
  }

  /** ENOSPC if the domain has too many transactions open. */
  beginTransaction(): number {
    const open = this.core.clientsOf(this.subject.domid).reduce(
      (sum, { transactions }) => sum + transactions.size,
      0,
    );
    if (isUnprivileged(this.subject) && open >= Quota.transactions) throw new XsError("ENOSPC");
    do this.#lastTransaction = (this.#lastTransaction + 1) >>> 0; while (
      this.#lastTransaction === 0 || this.transactions.has(this.#lastTransaction)
    );
    this.transactions.set(this.#lastTransaction, this.core.database.begin(this.subject));
    return this.#lastTransaction;
  }

  /** Does `action` when the reply to the request at hand is on its way. */
  afterReply(action: () => void): void {
    this.#afterReply = action;
  }

  watchEvent(path: string, token: string): void {
    const payload = nulTerminated([path, token]);
    if (payload.length > XENSTORE_PAYLOAD_MAX) return; // as xenstored: nobody could take it
    this.output.event({ type: Xs.WATCH_EVENT, reqId: 0, txId: 0, payload });
  }

  /** RESET_WATCHES: as if the connection were new. */
  reset(): void {
    this.core.watches.removeAll(this);
    this.transactions.clear();
  }

  /** Forgets the connection. */
  close(): void {
    this.reset();
    this.core.clients.delete(this);
  }

  #answer({ type, txId, payload }: Message): Uint8Array {
    const handler = handlers.get(type);
    if (!handler) throw new XsError("ENOSYS");
    if (handler.privileged && isUnprivileged(this.subject)) throw new XsError("EACCES");
    const transaction = txId === 0 || handler.ignoresTransaction ? undefined : this.transactions.get(txId);
    if (txId !== 0 && !handler.ignoresTransaction && !transaction) throw new XsError("ENOENT");
    return handler.answer({ client: this, payload, txId, transaction });
  }
}
