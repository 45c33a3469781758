// SPDX-License-Identifier: MIT
/**
 * XenStore as a guest's kernel uses it (drivers/xen/xenbus/xenbus_xs.c): a call waits while xenstored is away. Watches are
 * carried out one after the other by one thread, xenwatch, whichever device they belong to.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { type Permission, StoreError, type StoreView } from "../../../lib/xen/ports.ts";
import { parseState, type XenbusState } from "../../../lib/xenbus/mod.ts";
import { type GuestDomain, GuestStoreError, type GuestStoreView } from "../xen/guest_domain.ts";
import { type Blocking, type Task, type Tasks, WaitQueue } from "./tasks.ts";

/** µs until a call is tried again, while xenstored is away. */
const RETRY = 20_000;

/** How fast the kernel is. */
export interface Pace {
  /** µs until xenwatch turns to an event of a device's other end: there are other devices, too. */
  lateness(): number;
  /** µs that a call takes; a transaction is one. */
  duration(): number;
}

export const PROMPT: Pace = { lateness: () => 0, duration: () => 40 };

/** A watch of the kernel's. */
export interface KernelWatch {
  /** Ends the watch. Events that wait for xenwatch are dropped (`unregister_xenbus_watch`). */
  end(): void;
}

interface PendingEvent {
  readonly watch: KernelWatch;
  readonly handle: () => Blocking<void>;
}

export class BlockingStore {
  #pending: PendingEvent[] = [];
  readonly #arrived = new WaitQueue();
  readonly xenwatch: Task;
  pace: Pace = PROMPT;

  constructor(private readonly tasks: Tasks, private readonly domain: GuestDomain) {
    this.xenwatch = tasks.spawn("xenwatch", false, () => this.#run());
  }

  *#run(): Blocking<void> {
    for (;;) {
      const event = this.#pending.shift();
      if (event === undefined) yield* this.tasks.sleep(this.#arrived, Infinity, false);
      else yield* event.handle();
    }
  }

  /** A device's event waits its turn. */
  *awaitTurn(): Blocking<void> {
    const micros = this.pace.lateness();
    if (micros > 0) yield* this.tasks.sleep(undefined, micros, false);
  }

  /** Has xenwatch carry out `handle` after what waits already. */
  post(handle: () => Blocking<void>, watch: KernelWatch = { end: () => {} }): void {
    this.#pending.push({ watch, handle });
    this.#arrived.wakeAll();
  }

  /** Carries out `body`, again while xenstored is away. */
  *attempt<T>(body: (view: GuestStoreView) => T): Blocking<T> {
    for (;;) {
      yield* this.tasks.sleep(undefined, this.pace.duration(), false);
      try {
        return body(this.domain.store);
      } catch (error) {
        if (!(error instanceof GuestStoreError) || error.code !== "EPIPE") throw error;
      }
      yield* this.tasks.sleep(undefined, RETRY, false);
    }
  }

  /** As {@link attempt}: 0, or -errno if XenStore refuses. */
  *try(body: (view: GuestStoreView) => void): Blocking<number> {
    try {
      yield* this.attempt(body);
      return 0;
    } catch (error) {
      if (!(error instanceof GuestStoreError)) throw error;
      return -(ERRNO[error.code as keyof typeof ERRNO] ?? ERRNO.EIO);
    }
  }

  /** The node's value; undefined if the kernel cannot read the node. */
  *read(path: string): Blocking<string | undefined> {
    return yield* this.attempt((view) => ifAllowed(() => view.read(path)));
  }

  /** `xenbus_directory`: the names of the node's children; none if the kernel cannot list the node. */
  *list(path: string): Blocking<string[]> {
    return (yield* this.attempt((view) => ifAllowed(() => view.list(path)))) ?? [];
  }

  /** `xenbus_exists`. */
  *exists(path: string): Blocking<boolean> {
    return (yield* this.read(path)) !== undefined;
  }

  /** `xenbus_read_driver_state`. */
  *state(directory: string): Blocking<XenbusState> {
    return parseState((yield* this.read(`${directory}/state`)) ?? "");
  }

  /** Runs `body` in a transaction: 0, or -errno if XenStore refuses. */
  transaction(body: (view: GuestStoreView) => void): Blocking<number> {
    return this.try(() => this.domain.store.transaction(body));
  }

  /** Watches `path`; xenwatch carries out `handle` for each changed path. */
  *watch(path: string, handle: (path: string) => Blocking<void>): Blocking<KernelWatch> {
    return yield* this.attempt(() => {
      const watch: KernelWatch = {
        end: () => {
          stop();
          this.#pending = this.#pending.filter((event) => event.watch !== watch);
        },
      };
      const stop = this.domain.store.watch(path, (changed) => this.post(() => handle(changed), watch));
      return watch;
    });
  }
}

/** What `read` returns; undefined if XenStore refuses. */
function ifAllowed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof GuestStoreError && error.code !== "EPIPE") return undefined;
    throw error;
  }
}

/** A guest's view as the view that `lib/vsnd/nodes` reads. */
export function storeView(view: GuestStoreView): StoreView {
  return {
    read: (path) => ifAllowed(() => view.read(path)),
    write: (path, value) => view.write(path, value),
    mkdir: (path) => view.mkdir(path),
    remove: (path) => view.remove(path),
    list: (path) => {
      try {
        return view.list(path);
      } catch (error) {
        if (error instanceof GuestStoreError && error.code !== "EPIPE") {
          throw new StoreError("list", path, error.code);
        }
        throw error;
      }
    },
    getPermissions: (path) => view.getPermissions(path),
    setPermissions: (path: string, permissions: readonly Permission[]) =>
      view.setPermissions(path, permissions),
  };
}
