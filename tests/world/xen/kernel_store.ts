// SPDX-License-Identifier: MIT
/** XenStore as a guest's kernel sees it (drivers/xen/xenbus): one connection, and watches whose call-backs run one by one. */
import { XsError } from "../../../lib/xen/embedded/server/wire.ts";
import { ConnectionView, type Refusal } from "./connection_view.ts";
import type { Domain } from "./domain.ts";
import { type GuestStore, GuestStoreError, type GuestStoreView } from "./guest_domain.ts";
import type { StoreClient, StoreConnection } from "./store_connection.ts";
import type { Xenstored } from "./xenstored.ts";

/** µs from one watch's call-back to the next. */
const LEAST_STEP_MICROS = 2;
const MOST_STEP_MICROS = 40;

interface KernelWatch {
  readonly path: string;
  readonly onChange: (path: string) => void;
}

const refusal: Refusal = (code, verb, path) => new GuestStoreError(code, verb, path);

class TransactionView extends ConnectionView {
  constructor(private readonly store: KernelStore, t: number) {
    super(t, refusal);
  }

  connection(): StoreConnection {
    return this.store.connection();
  }
}

export class KernelStore extends ConnectionView implements GuestStore, StoreClient {
  readonly owner: object;
  #connection: StoreConnection | undefined;
  readonly #watches = new Map<string, KernelWatch>();
  #lastToken = 0;
  /** Fired watches, the oldest first: path and token. */
  #events: [string, string][] = [];
  #isRunning = false;

  constructor(readonly domain: Domain, private readonly xenstored: Xenstored) {
    super(0, refusal);
    this.owner = domain;
    const again = () => this.#reconnect();
    xenstored.returns.add(again);
    domain.ends.add(() => xenstored.returns.delete(again));
  }

  /** The connection, made anew if need be. */
  connection(): StoreConnection {
    const { domid, isAlive } = this.domain;
    if (this.#connection?.subject.domid !== domid) this.#hangUp();
    this.#connection ??= isAlive ? this.xenstored.connect(domid, this) : undefined;
    if (this.#connection === undefined) throw new GuestStoreError("EPIPE", "reach", "XenStore");
    return this.#connection;
  }

  #hangUp(): void {
    if (this.#connection !== undefined) this.xenstored.close(this.#connection);
    this.#connection = undefined;
  }

  /** Sets all watches again, if the connection is a new one. */
  #reconnect(): void {
    if (this.#watches.size === 0 || !this.domain.isAlive) return;
    if (this.#connection !== undefined && this.#connection.subject.domid === this.domain.domid) return;
    this.#connection = this.xenstored.connect(this.domain.domid, this);
    for (const [token, { path }] of this.#watches) {
      try {
        this.#connection?.watch(path, token);
      } catch (error) {
        if (!(error instanceof XsError)) throw error; // Linux ignores that such a watch cannot be set
      }
    }
  }

  watch(path: string, onChange: (path: string) => void): () => void {
    const token = `k${++this.#lastToken}`;
    this.#watches.set(token, { path, onChange });
    try {
      this.connection().watch(path, token);
    } catch (error) {
      this.#watches.delete(token);
      throw error instanceof XsError ? new GuestStoreError(error.code, "watch", path) : error;
    }
    return () => {
      if (this.#watches.delete(token)) this.#unwatch(path, token);
    };
  }

  #unwatch(path: string, token: string): void {
    try {
      this.#connection?.unwatch(path, token);
    } catch (error) {
      // A watch that a new connection could not set.
      if (!(error instanceof XsError) || error.code !== "ENOENT") throw error;
    }
  }

  transaction<T>(body: (view: GuestStoreView) => T): T {
    while (true) {
      const connection = this.connection();
      try {
        const t = connection.beginTransaction();
        try {
          const result = body(new TransactionView(this, t));
          connection.endTransaction(t, true);
          return result;
        } finally {
          connection.transactions.delete(t);
        }
      } catch (error) {
        if (!(error instanceof XsError)) throw error;
        if (error.code !== "EAGAIN") throw new GuestStoreError(error.code, "change", "/");
      }
    }
  }

  event(path: string, token: string): void {
    this.#events.push([path, token]);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.domain.later(this.xenstored.eventTime(), () => this.#deliver());
  }

  /** Runs the call-back of the oldest event: the kernel has one thread for all. */
  #deliver(): void {
    const next = this.#events.shift();
    if (next === undefined) {
      this.#isRunning = false;
      return;
    }
    const [path, token] = next;
    const step = this.domain.random.between(LEAST_STEP_MICROS, MOST_STEP_MICROS);
    this.domain.later(step, () => this.#deliver());
    this.#watches.get(token)?.onChange(path);
  }

  lost(): void {
    this.#connection = undefined;
  }
}
