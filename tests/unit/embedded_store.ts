// SPDX-License-Identifier: MIT
/** An embedded XenStore without sockets: replies and events come out synchronously. */
import { Client } from "../../lib/xen/embedded/server/client.ts";
import { Xenstore } from "../../lib/xen/embedded/server/xenstore.ts";
import { makeInitialNodes } from "../../lib/xen/embedded/server/initial_nodes.ts";
import { fromOctets, type Message, toOctets, Xs } from "../../lib/xen/embedded/server/wire.ts";

/** A client that records its replies and events. `OK` and strings lose their last NUL; errors appear by name. */
export class TestClient {
  readonly events: string[] = [];
  #replies: Message[] = [];
  readonly client: Client;

  constructor(xenstore: Xenstore, readonly domid: number) {
    this.client = new Client(xenstore, xenstore.domains.get(domid), {
      reply: (message) => this.#replies.push(message),
      event: ({ payload }) => this.events.push(fromOctets(payload).split("\0").slice(0, 2).join("|")),
    });
  }

  /** Sends a request with this payload and returns the reply's payload. */
  raw(type: number, payload: string, txId = 0): string {
    this.client.handle({ type, reqId: 1, txId, payload: toOctets(payload) });
    const [reply, ...more] = this.#replies.splice(0);
    if (more.length > 0 || reply!.reqId !== 1 || reply!.txId !== txId) {
      throw new Error("not one reply to one request");
    }
    if (reply!.type !== Xs.ERROR && reply!.type !== type) {
      throw new Error(`a reply of type ${reply!.type} to ${type}`);
    }
    return fromOctets(reply!.payload);
  }

  /** As {@link raw}, with NUL-terminated strings in both directions. */
  call(type: number, strings: readonly string[], txId = 0): string {
    return this.raw(type, strings.map((string) => `${string}\0`).join(""), txId).replace(/\0$/, "");
  }

  read = (path: string, txId?: number) => this.call(Xs.READ, [path], txId);
  write = (path: string, value: string, txId?: number) =>
    this.raw(Xs.WRITE, `${path}\0${value}`, txId).slice(0, -1);
  mkdir = (path: string, txId?: number) => this.call(Xs.MKDIR, [path], txId);
  rm = (path: string, txId?: number) => this.call(Xs.RM, [path], txId);
  list = (path: string, txId?: number) => this.call(Xs.DIRECTORY, [path], txId);
  chmod = (path: string, ...permissions: string[]) => this.call(Xs.SET_PERMS, [path, ...permissions]);
  permissions = (path: string) => this.call(Xs.GET_PERMS, [path]).split("\0").join(" ");
  watch = (path: string, token: string) => this.call(Xs.WATCH, [path, token]);
  unwatch = (path: string, token: string) => this.call(Xs.UNWATCH, [path, token]);
  begin = () => Number(this.call(Xs.TRANSACTION_START, [""]));
  end = (txId: number, commit = true) => this.call(Xs.TRANSACTION_END, [commit ? "T" : "F"], txId);
  /** The events since the last call. */
  heard = () => this.events.splice(0);
}

/** A store with dom0 and the guests 1 (domU) and 2 (domV). */
export function newStore() {
  const appeared: number[] = [];
  const gone: number[] = [];
  const xenstore = new Xenstore({
    domainAppeared: ({ domid }) => appeared.push(domid),
    domainGone: ({ domid }) => gone.push(domid),
  });
  makeInitialNodes(xenstore.database, ["domU", "domV"]);
  for (const domid of [0, 1, 2]) xenstore.domains.introduce(domid);
  const connect = (domid: number) => new TestClient(xenstore, domid);
  return { xenstore, appeared, gone, connect, dom0: connect(0), domU: connect(1), domV: connect(2) };
}
