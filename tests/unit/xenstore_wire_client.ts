// SPDX-License-Identifier: MIT
/** A XenStore client that sends exactly the messages of a test. Uses only the wire codec. */
import {
  encodeMessage,
  fromOctets,
  type Message,
  MessageReader,
  toOctets,
  Xs,
} from "../../lib/xen/embedded/server/wire.ts";

/** A reply as text, such as `OK\0`. `error` is the name of an error. */
export interface Reply {
  readonly type: number;
  readonly text: string;
  readonly error?: string;
}

export class WireClient implements Disposable {
  /** Watch events in order of arrival, each as `path|token`. */
  readonly events: string[] = [];
  #lastReqId = 0;
  readonly #waiting = new Map<number, (reply: Message) => void>();
  #noise = Promise.withResolvers<void>();
  /** Resolves when the server has closed the connection. */
  readonly closed: Promise<void>;

  private constructor(readonly connection: Deno.UnixConn) {
    this.closed = this.#receive();
  }

  static async connect(path: string): Promise<WireClient> {
    return new WireClient(await Deno.connect({ transport: "unix", path }));
  }

  /** Sends a request of NUL-terminated strings and returns its reply. */
  call(type: number, strings: readonly string[] = [], txId = 0): Promise<Reply> {
    return this.raw(type, strings.map((string) => `${string}\0`).join(""), txId);
  }

  /** As {@link call}, with `payload` sent unchanged. */
  async raw(type: number, payload: string, txId = 0): Promise<Reply> {
    const reqId = ++this.#lastReqId;
    const { promise, resolve } = Promise.withResolvers<Message>();
    this.#waiting.set(reqId, resolve);
    await this.send(encodeMessage({ type, reqId, txId, payload: toOctets(payload) }));
    const reply = await promise;
    const text = fromOctets(reply.payload);
    return reply.type === Xs.ERROR
      ? { type: reply.type, text, error: text.slice(0, -1) }
      : { type: reply.type, text };
  }

  async send(octets: Uint8Array): Promise<void> {
    for (let at = 0; at < octets.length;) at += await this.connection.write(octets.subarray(at));
  }

  /** Begins a transaction and returns its id. */
  async begin(): Promise<number> {
    return Number((await this.call(Xs.TRANSACTION_START, [""])).text.slice(0, -1));
  }

  /** Waits for the next `count` events and takes them. */
  async take(count: number): Promise<string[]> {
    while (this.events.length < count) await this.#noise.promise;
    return this.events.splice(0, count);
  }

  /** Takes all events, after one more request: its answer shows that no event is still under way. */
  async settled(): Promise<string[]> {
    await this.call(Xs.GET_DOMAIN_PATH, ["0"]);
    return this.events.splice(0);
  }

  [Symbol.dispose](): void {
    try {
      this.connection.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error; // closed by the test itself
    }
  }

  async #receive(): Promise<void> {
    const reader = new MessageReader();
    const buffer = new Uint8Array(1 << 16);
    try {
      for (let count; (count = await this.connection.read(buffer)) !== null;) {
        for (const message of reader.push(buffer.subarray(0, count))) this.#dispatch(message);
      }
    } catch (error) {
      const expected = [Deno.errors.BadResource, Deno.errors.Interrupted, Deno.errors.ConnectionReset];
      if (!expected.some((kind) => error instanceof kind)) throw error;
    }
  }

  #dispatch(message: Message): void {
    if (message.type === Xs.WATCH_EVENT) {
      this.events.push(fromOctets(message.payload).split("\0").slice(0, 2).join("|"));
      this.#noise.resolve();
      this.#noise = Promise.withResolvers();
    } else {
      this.#waiting.get(message.reqId)?.(message);
      this.#waiting.delete(message.reqId);
    }
  }
}
