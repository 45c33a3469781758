// SPDX-License-Identifier: MIT
/** A connection that answers requests: checks each and calls its handler. Knows no sockets. */
import { Connection } from "./connection.ts";
import { isUnprivileged } from "./permissions.ts";
import { handlers } from "./requests.ts";
import { type Message, nulTerminated, XENSTORE_PAYLOAD_MAX, Xs, XsError } from "./wire.ts";

export class Client extends Connection {
  /** Answers one request. Never throws, whatever a client sends. */
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
    this.replied();
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
