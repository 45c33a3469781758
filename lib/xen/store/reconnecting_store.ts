// SPDX-License-Identifier: MIT
/**
 * A XenStore connection that is made again when it is lost: a daemon goes on serving when xenstored restarts or dies.
 *
 * While the connection is lost, each call throws a {@link StoreError} that `isLost`; nothing is queued. The store tries to
 * connect until it succeeds, and then sets every watch again. A new watch begins with an event for the watched path. So a
 * daemon that follows its watches reads everything once more, and learns of all changes of the meantime.
 */
import { getLogger } from "@logtape/logtape";
import { XsndError } from "../../base/error.ts";
import {
  isStoreLost,
  type Permission,
  type Store,
  StoreError,
  type StoreView,
  type StoreWatch,
} from "../ports.ts";

/** The pause before the next attempt to connect: at first, and at most. */
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2000;

/**
 * Connects, and keeps connected. Throws {@link XsndError} if the first attempt fails.
 * @param open connects, or throws {@link XsndError}
 * @param isGone whether the server is gone for good, as when a sandbox has ended; then the watches fail
 */
export function reconnectingStore(open: () => Store, isGone = () => false): Store {
  return new ReconnectingStore(open, isGone);
}

class ReconnectingStore implements Store {
  readonly #log = getLogger(["xsnd", "xenstore"]);
  readonly #open: () => Store;
  readonly #isGone: () => boolean;
  /** Undefined while the connection is lost. */
  #store: Store | undefined;
  readonly #watches = new Set<ReconnectingWatch>();
  #retry: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(open: () => Store, isGone: () => boolean) {
    this.#open = open;
    this.#isGone = isGone;
    this.#store = open();
  }

  read(path: string): string | undefined {
    return this.#call("read", path, (store) => store.read(path));
  }

  write(path: string, value: string): void {
    this.#call("write", path, (store) => store.write(path, value));
  }

  mkdir(path: string): void {
    this.#call("mkdir", path, (store) => store.mkdir(path));
  }

  remove(path: string): void {
    this.#call("remove", path, (store) => store.remove(path));
  }

  list(path: string): string[] | undefined {
    return this.#call("list", path, (store) => store.list(path));
  }

  getPermissions(path: string): Permission[] | undefined {
    return this.#call("get permissions of", path, (store) => store.getPermissions(path));
  }

  setPermissions(path: string, permissions: readonly Permission[]): void {
    this.#call("set permissions of", path, (store) => store.setPermissions(path, permissions));
  }

  transaction<T>(body: (view: StoreView) => T): T {
    return this.#call("start a transaction in", "/", (store) => store.transaction(body));
  }

  async settled(): Promise<void> {
    await this.#call("wait for the watches of", "/", (store) => store.settled());
  }

  domainPath(domid: number): string {
    return this.#call(`get the path of domain ${domid} in`, "/", (store) => store.domainPath(domid));
  }

  isIntroduced(domid: number): boolean {
    return this.#call(`ask for domain ${domid} in`, "/", (store) => store.isIntroduced(domid));
  }

  watch(path: string): StoreWatch {
    const connected = this.#call("watch", path, (store) => store.watch(path));
    const watch = new ReconnectingWatch(
      path,
      connected,
      (reason) => this.#lose(reason),
      () => this.#watches.delete(watch),
    );
    this.#watches.add(watch);
    return watch;
  }

  #call<T>(verb: string, path: string, body: (store: Store) => T): T {
    const store = this.#store;
    if (store === undefined) throw new StoreError(verb, path, "ENOTCONN");
    try {
      return body(store);
    } catch (error) {
      if (isStoreLost(error)) this.#lose(error, store);
      throw error;
    }
  }

  /** Drops the connection `store`, unless another has replaced it, and begins to reconnect. */
  #lose(reason: StoreError, store = this.#store): void {
    if (store === undefined || store !== this.#store || this.#isClosed) return;
    this.#store = undefined;
    this.#log.error("XenStore is lost ({reason}): running streams go on; xsnd tries to connect again", {
      reason: reason.message,
    });
    store[Symbol.dispose]();
    this.#tryAgain(FIRST_RETRY_MS);
  }

  #tryAgain(delay: number): void {
    this.#retry = setTimeout(() => {
      if (this.#connect()) return;
      if (!this.#isGone()) return this.#tryAgain(Math.min(delay * 2, LAST_RETRY_MS));
      for (const watch of this.#watches) watch.fail();
    }, delay);
  }

  #connect(): boolean {
    let store: Store | undefined;
    try {
      store = this.#open();
      for (const watch of this.#watches) watch.resume(store);
    } catch (error) {
      store?.[Symbol.dispose]();
      if (error instanceof XsndError || error instanceof StoreError) return false;
      throw error;
    }
    this.#store = store;
    this.#log.info("XenStore is there again");
    return true;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    for (const watch of this.#watches) watch[Symbol.dispose]();
    this.#store?.[Symbol.dispose]();
    this.#store = undefined;
  }
}

/** A watch that goes on with the next connection when its own is lost. */
class ReconnectingWatch implements StoreWatch {
  /** The watch of the last connection. */
  #watch: StoreWatch;
  #ended = false;
  #hasFailed = false;
  #reconnected = Promise.withResolvers<void>();

  constructor(
    private readonly path: string,
    watch: StoreWatch,
    private readonly lost: (reason: StoreError) => void,
    private readonly forget: () => void,
  ) {
    this.#watch = watch;
  }

  /** Sets the watch on a new connection. Throws {@link StoreError}. */
  resume(store: Store): void {
    this.#watch = store.watch(this.path);
    this.#reconnected.resolve();
    this.#reconnected = Promise.withResolvers();
  }

  /** Ends the iterators with an error: there will be no other connection. */
  fail(): void {
    this.#hasFailed = true;
    this.#reconnected.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    while (!this.#ended) {
      if (this.#hasFailed) throw new StoreError("watch", this.path, "ENOTCONN");
      const watch = this.#watch;
      const reconnected = this.#reconnected.promise;
      yield* this.#events(watch);
      if (this.#ended) return;
      if (this.#watch === watch) await reconnected;
    }
  }

  /** The events of one connection, until it is lost or the watch ends. */
  async *#events(watch: StoreWatch): AsyncGenerator<string, void, void> {
    try {
      yield* watch;
    } catch (error) {
      if (!isStoreLost(error)) throw error;
      if (this.#watch === watch) this.lost(error);
    }
  }

  [Symbol.dispose](): void {
    if (this.#ended) return;
    this.#ended = true;
    this.forget();
    this.#watch[Symbol.dispose]();
    this.#reconnected.resolve();
  }
}
