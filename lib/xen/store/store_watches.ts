// SPDX-License-Identifier: MIT
/**
 * Watches of one XenStore connection. libxenstore queues what its reader thread gets and makes a pipe readable; one
 * loop per connection waits for that pipe on a pool thread and deals the events out by token.
 */
import { EventFd } from "../../../ffi/libc/event_fd.ts";
import { Errno } from "../../../ffi/libc/failed_call.ts";
import { POLL } from "../../../ffi/libc/libc.ts";
import { PollSet } from "../../../ffi/libc/poll_set.ts";
import type { XsHandle } from "../../../ffi/xen/libxenstore.ts";
import { StoreError, type StoreWatch } from "../ports.ts";

/** Distinct paths that a watch holds for a slow reader; past it they collapse into the watched path itself. */
const MAX_QUEUED_PATHS = 1024;

/** Events that are dealt out in one turn: the rest waits, lest who writes without end holds up the whole thread. */
const EVENTS_A_TURN = 256;

/** How often a lost connection is looked for, ms: libxenstore's pipe does not tell. */
const LOST_CHECK_MS = 2000;

/** All watches of one connection. Disposing ends every iterator; the owner then closes the connection. */
export class StoreWatches implements Disposable {
  readonly #handle: XsHandle;
  readonly #watches = new Map<string, Watch>();
  readonly #wake = new EventFd();
  #nextToken = 0;
  #reading = false;
  #disposed = false;

  constructor(handle: XsHandle) {
    this.#handle = handle;
  }

  add(path: string): StoreWatch {
    const token = `xsnd-${this.#nextToken++}`;
    const watch = new Watch(path, () => this.#remove(path, token));
    // Registered before xs_watch, whose initial event may be read before it returns.
    this.#watches.set(token, watch);
    try {
      this.#handle.watch(path, token);
    } catch (error) {
      this.#watches.delete(token);
      throw error instanceof Errno ? new StoreError("watch", path, error.code) : error;
    }
    if (!this.#reading) this.#read();
    return watch;
  }

  #remove(path: string, token: string): void {
    if (!this.#watches.delete(token)) return; // the connection is closed or lost, and the watch with it
    if (this.#watches.size === 0) this.#wake.signal(); // the loop ends, and lets the process end
    try {
      this.#handle.unwatch(path, token);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      const failure = new StoreError("unwatch", path, error.code);
      if (!failure.isLost) throw failure; // else the server is gone, and the watch with it
    }
  }

  /** Deals out events for as long as there are watches. Never rejects: its failure is that of the watches. */
  async #read(): Promise<void> {
    this.#reading = true;
    try {
      const fds = new PollSet(2);
      fds.add(this.#handle.fd, POLL.IN);
      fds.add(this.#wake.fd, POLL.IN);
      while (this.#watches.size > 0) {
        await fds.waitAsync(LOST_CHECK_MS);
        this.#wake.drain();
        if (!this.#disposed) this.deal();
      }
    } catch (error) {
      // EINVAL is how xs_check_watch says that the connection is lost
      this.#end(error instanceof Errno ? error.code.replace("EINVAL", "ECONNRESET") : String(error));
    } finally {
      this.#reading = false;
      if (this.#disposed) this.#wake[Symbol.dispose]();
    }
  }

  /** Gives each watch the events that libxenstore has for it, up to a turn's worth; false if there may be more. */
  deal(): boolean {
    for (let dealt = 0; dealt < EVENTS_A_TURN; dealt++) {
      const event = this.#handle.checkWatch();
      if (event === undefined) return true;
      this.#watches.get(event.token)?.push(event.path); // none: disposed meanwhile
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
    // The loop may be about to poll: it finds this descriptor readable and closes it itself.
    if (this.#reading) this.#wake.signal();
    else this.#wake[Symbol.dispose]();
  }
}

/** One watch: a set of changed paths, in the order of their first change since they were last read. */
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

  /** Iterators share one queue: each change goes to whichever asks first. Leaving a loop does not end the watch. */
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
