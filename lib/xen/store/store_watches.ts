// SPDX-License-Identifier: MIT
/**
 * The watches of one XenStore connection. libxenstore's reader thread queues events and makes a pipe readable. One loop per
 * connection waits for that pipe on a pool thread, and deals the events out to the watches by token.
 */
import { EventFd } from "../../../ffi/libc/event_fd.ts";
import { Errno } from "../../../ffi/libc/failed_call.ts";
import { POLL } from "../../../ffi/libc/libc.ts";
import { PollSet } from "../../../ffi/libc/poll_set.ts";
import type { XsHandle } from "../../../ffi/xen/libxenstore.ts";
import { isStoreLost, StoreError, type StoreWatch } from "../ports.ts";
import { storeCall } from "./store_call.ts";

/** A watch holds this many distinct paths for a slow reader. More paths collapse into the watched path itself. */
const MAX_QUEUED_PATHS = 1024;

/** Events dealt out in one turn. More wait for the next, so that a writer that never stops does not hold up the thread. */
const EVENTS_A_TURN = 256;

/** How often, in ms, the loop checks for a lost connection: libxenstore's pipe does not become readable then. */
const LOST_CHECK_MS = 2000;

/** All watches of one connection. The disposal ends every iterator; then the owner closes the connection. */
export class StoreWatches implements Disposable {
  readonly #handle: XsHandle;
  readonly #watches = new Map<string, Watch>();
  readonly #wake = new EventFd();
  /** Of libxenstore's pipe and {@link #wake}; made for the first watch. */
  #fds: PollSet | undefined;
  #nextToken = 0;
  #reading = false;
  #disposed = false;

  constructor(handle: XsHandle) {
    this.#handle = handle;
  }

  add(path: string): StoreWatch {
    const token = `xsnd-${this.#nextToken++}`;
    const watch = new Watch(path, () => this.#remove(path, token));
    // Registered before xs_watch: the reader may deliver the first event before xs_watch returns.
    this.#watches.set(token, watch);
    try {
      storeCall(this.#handle, "watch", path, () => {
        // Needs descriptors, so that this may fail.
        this.#fds ??= this.#pollSet();
        this.#handle.watch(path, token);
      });
    } catch (error) {
      this.#watches.delete(token);
      throw error;
    }
    if (!this.#reading) this.#read(this.#fds!);
    return watch;
  }

  #pollSet(): PollSet {
    const fds = new PollSet(2);
    fds.add(this.#handle.fd, POLL.IN);
    fds.add(this.#wake.fd, POLL.IN);
    return fds;
  }

  #remove(path: string, token: string): void {
    if (!this.#watches.delete(token)) return; // the connection is closed or lost, and with it the watch
    if (this.#watches.size === 0) this.#wake.signal(); // ends the loop, so that the process can end
    try {
      storeCall(this.#handle, "unwatch", path, () => this.#handle.unwatch(path, token));
    } catch (error) {
      if (!isStoreLost(error)) throw error; // a server that is gone has no watch left
    }
  }

  /** Deals out events for as long as there are watches. Never rejects: a failure ends the watches with that error. */
  async #read(fds: PollSet): Promise<void> {
    this.#reading = true;
    try {
      while (this.#watches.size > 0) {
        await fds.waitAsync(LOST_CHECK_MS);
        this.#wake.drain();
        if (!this.#disposed) this.deal();
      }
    } catch (error) {
      // xs_check_watch reports a lost connection as EINVAL
      this.#end(error instanceof Errno ? error.code.replace("EINVAL", "ECONNRESET") : String(error));
    } finally {
      this.#reading = false;
      if (this.#disposed) this.#wake[Symbol.dispose]();
    }
  }

  /** Gives each watch its events from libxenstore's queue, up to a turn's worth; false if there may be more. */
  deal(): boolean {
    for (let dealt = 0; dealt < EVENTS_A_TURN; dealt++) {
      const event = this.#handle.checkWatch();
      if (event === undefined) return true;
      this.#watches.get(event.token)?.push(event.path); // a watch may be disposed meanwhile
    }
    return false;
  }

  #end(code?: string): void {
    const watches = [...this.#watches.values()];
    this.#watches.clear();
    for (const watch of watches) watch.end(code);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#end();
    // The loop may be about to poll. It finds the descriptor readable, and closes the descriptor itself.
    if (this.#reading) this.#wake.signal();
    else this.#wake[Symbol.dispose]();
  }
}

/** One watch: a set of changed paths, in the order of their first change since the last read. */
class Watch implements StoreWatch {
  readonly #path: string;
  readonly #remove: () => void;
  readonly #queue = new Set<string>();
  #ended = false;
  #failure: StoreError | undefined;
  #news = Promise.withResolvers<void>();

  constructor(path: string, remove: () => void) {
    this.#path = path;
    this.#remove = remove;
  }

  push(path: string): void {
    if (this.#queue.size >= MAX_QUEUED_PATHS && !this.#queue.has(path)) {
      this.#queue.clear();
      this.#queue.add(this.#path);
    } else {
      this.#queue.add(path);
    }
    this.#news.resolve();
  }

  /** Ends the iterators, with an error if `code` names one. */
  end(code?: string): void {
    this.#ended = true;
    if (code !== undefined) this.#failure = new StoreError("watch", this.#path, code);
    this.#news.resolve();
  }

  /** Iterators share one queue: each change goes to the first that asks. Leaving a loop does not end the watch. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    while (true) {
      for (const path of this.#queue) {
        if (this.#ended) break;
        this.#queue.delete(path);
        yield path;
      }
      if (this.#failure) throw this.#failure;
      if (this.#ended) return;
      await this.#news.promise;
      this.#news = Promise.withResolvers();
    }
  }

  [Symbol.dispose](): void {
    if (this.#ended) return;
    this.end();
    this.#remove();
  }
}
