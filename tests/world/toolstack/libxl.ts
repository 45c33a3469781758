// SPDX-License-Identifier: MIT
/**
 * libxl's calls on XenStore and on the hypervisor for domains with vsnd cards, in libxl's order and with its time-outs: libxl_device.c,
 * libxl_create.c, libxl_domain.c, libxl_xshelp.c of Xen 4.17. Domain 0 is the toolstack's domain and the backends'.
 */
import { type CardAddress, cardPaths, parseBackendPath, XenbusState } from "../../../lib/xenbus/mod.ts";
import { StoreError, type StoreView } from "../../../lib/xen/ports.ts";
import type { Random } from "../machine/random.ts";
import type { Account } from "./account.ts";
import { ABSENT } from "./card_target.ts";
import type { DomainNode } from "./domain_nodes.ts";
import type { Dom0Transaction, Services } from "./services.ts";
import { gap, ProgramError, Signal, sleep, type Steps } from "./steps.ts";
import { deviceCalls, type XlCard } from "./xl_card.ts";

/** `LIBXL_INIT_TIMEOUT` and `LIBXL_DESTROY_TIMEOUT`, µs. */
const DEVICE_TIMEOUT = 10_000_000;

/** `libxl__ao_device.force`: a removal that is not forced becomes a forced one when the backend takes too long. */
export type Force = "auto" | "on";

/** What a wait for a backend's state ends with (`libxl__ev_devstate_wait`). */
type Waited = "reached" | "vanished" | "timed out";

export class Libxl {
  constructor(
    private readonly services: Services,
    private readonly account: Account,
    private readonly random: Random,
  ) {}

  /** The time until the next call. */
  *pause(): Steps<void> {
    yield sleep(this.services.clock, gap(this.random));
  }

  /** A time between `least` and `most` µs, for work that this world does not have. */
  *work(least: number, most: number): Steps<void> {
    yield sleep(this.services.clock, this.random.between(least, most));
  }

  *read(view: StoreView, path: string): Steps<string | undefined> {
    yield* this.pause();
    return view.read(path);
  }

  *write(view: StoreView, path: string, value: string): Steps<void> {
    yield* this.pause();
    view.write(path, value);
  }

  *remove(view: StoreView, path: string): Steps<void> {
    yield* this.pause();
    view.remove(path);
  }

  /** Writes a node and its permissions. */
  *writeNode(view: StoreView, { path, value, permissions }: DomainNode): Steps<void> {
    yield* this.write(view, path, value);
    yield* this.pause();
    view.setPermissions(path, permissions);
  }

  /** Runs `body` in a transaction until the commit succeeds, and calls `committed` at that moment. */
  *transaction<T>(
    body: (view: StoreView) => Steps<T>,
    committed: (result: T) => void = () => {},
  ): Steps<T> {
    for (;;) {
      yield* this.pause();
      const transaction = this.services.store.begin();
      let isOpen = true;
      try {
        const result = yield* body(transaction);
        yield* this.pause();
        isOpen = false;
        if (!transaction.commit()) continue;
        committed(result);
        return result;
      } finally {
        if (isOpen) abort(transaction);
      }
    }
  }

  /** Removes `path`, and then each parent that is left empty (`libxl__xs_path_cleanup`). */
  *cleanUp(view: StoreView, path: string): Steps<void> {
    yield* this.remove(view, path);
    for (let at = parentOf(path); at !== ""; at = parentOf(at)) {
      if ((yield* this.read(view, at)) !== "") return;
      yield* this.pause();
      if (view.list(at)?.length !== 0) return;
      yield* this.remove(view, at);
    }
  }

  /** The transaction of `libxl__device_add_async`. */
  *addDevice(domid: number, devid: number, card: XlCard): Steps<void> {
    const address = { domid, card: devid, backendDomid: 0 };
    const { libxl } = cardPaths(address);
    const body = function* (this: Libxl, view: StoreView): Steps<void> {
      if ((yield* this.read(view, libxl)) !== undefined) {
        throw new ProgramError(`${libxl}: device already exists in xenstore`);
      }
      for (const call of deviceCalls(domid, devid, card)) {
        yield* this.pause();
        if (call.call === "remove") view.remove(call.path);
        else if (call.call === "mkdir") view.mkdir(call.path);
        else if (call.call === "write") view.write(call.path, call.value);
        else view.setPermissions(call.path, call.permissions);
      }
    };
    yield* this.transaction(
      body.bind(this),
      () => this.account.committed(address, { maker: "xl", card }),
    );
  }

  /** Waits until the backends of all `devids` have offered their cards. Throws if one does not within ten seconds. */
  *awaitConnection(domid: number, devids: readonly number[]): Steps<void> {
    const addresses = devids.map((card) => ({ domid, card, backendDomid: 0 }));
    const failed: string[] = [];
    yield* this.#awaitStates(addresses, XenbusState.InitWait, function* ({ card }, waited) {
      if (waited !== "reached") failed.push(`unable to add device ${card}: its backend has ${waited}`);
    });
    if (failed.length > 0) throw new ProgramError(failed.join("; "));
  }

  /**
   * Removes cards side by side (`libxl__initiate_device_generic_remove` for each). Throws if a card is not removed.
   * @param force `on`: the frontend's directory goes at once, and the card goes whatever the backend does
   */
  *removeDevices(addresses: readonly CardAddress[], force: Force): Steps<void> {
    const asked: CardAddress[] = [];
    const failed: string[] = [];
    for (const address of addresses) {
      if (yield* this.#askToClose(address, force)) asked.push(address);
      else yield* this.#destroyDevice(address);
    }
    const late: CardAddress[] = [];
    const finish = function* (this: Libxl, address: CardAddress, waited: Waited): Steps<void> {
      if (waited === "timed out" && force === "auto") return void late.push(address);
      if (waited === "reached" || force === "on") yield* this.#destroyDevice(address);
      if (waited !== "reached") {
        failed.push(`unable to remove device ${address.card}: its backend has ${waited}`);
      }
    };
    yield* this.#awaitStates(asked, XenbusState.Closed, finish.bind(this));
    if (late.length > 0) yield* this.removeDevices(late, "on");
    if (failed.length > 0) throw new ProgramError(failed.join("; "));
  }

  /** Returns false if there is no backend to ask. */
  *#askToClose(address: CardAddress, force: Force): Steps<boolean> {
    const { frontend, backend } = cardPaths(address);
    const body = function* (this: Libxl, view: StoreView): Steps<boolean> {
      if (force === "on") yield* this.cleanUp(view, frontend);
      const state = yield* this.read(view, `${backend}/state`);
      if (state === undefined) return false;
      yield* this.write(view, `${backend}/online`, "0");
      if (state !== String(XenbusState.Closed)) {
        yield* this.write(view, `${backend}/state`, String(XenbusState.Closing));
      }
      return true;
    };
    return yield* this.transaction(
      body.bind(this),
      (isThere) => isThere && this.account.askedToClose(address),
    );
  }

  /** `libxl__device_destroy`: all three directories, in one transaction. */
  *#destroyDevice(address: CardAddress): Steps<void> {
    const { frontend, libxl, backend } = cardPaths(address);
    const body = function* (this: Libxl, view: StoreView): Steps<void> {
      for (const path of [frontend, libxl, backend]) yield* this.cleanUp(view, path);
    };
    yield* this.transaction(body.bind(this), () => this.account.committed(address, ABSENT));
  }

  /**
   * Waits until each backend of `addresses` is in the state `wanted`, each for at most ten seconds, and calls `finish` for each as it
   * comes. libxl reads a state only when a watch tells it to, so that it may miss a state that does not last.
   */
  *#awaitStates(
    addresses: readonly CardAddress[],
    wanted: XenbusState,
    finish: (address: CardAddress, waited: Waited) => Steps<void>,
  ): Steps<void> {
    const { clock, store } = this.services;
    const until = clock.now + DEVICE_TIMEOUT;
    const pending = addresses.map((address) => {
      const path = `${cardPaths(address).backend}/state`;
      return { address, path, news: new Signal(), end: () => {} };
    });
    const any = new Signal();
    try {
      for (const one of pending) {
        one.end = store.watch(one.path, () => {
          one.news.raise();
          any.raise();
        });
      }
      while (pending.length > 0) {
        yield any.until(clock, until, gap(this.random));
        any.take();
        for (const one of [...pending]) {
          const waited = one.news.take() ? this.#stateReached(one.path, wanted) : undefined;
          const result = waited ?? (clock.now >= until ? "timed out" : undefined);
          if (result === undefined) continue;
          pending.splice(pending.indexOf(one), 1);
          one.end();
          yield* finish(one.address, result);
        }
      }
    } finally {
      for (const { end } of pending) end();
    }
  }

  #stateReached(path: string, wanted: XenbusState): Waited | undefined {
    const state = this.services.store.read(path);
    if (state === undefined) return "vanished";
    return state === String(wanted) ? "reached" : undefined;
  }

  /** The cards in libxl's record of a domain (`libxl__devices_destroy`). */
  *devicesOf(domid: number): Steps<CardAddress[]> {
    const { store } = this.services;
    const directory = `/libxl/${domid}/device/vsnd`;
    yield* this.pause();
    const addresses: CardAddress[] = [];
    for (const name of store.list(directory) ?? []) {
      const backend = yield* this.read(store, `${directory}/${name}/backend`);
      const address = backend === undefined ? undefined : parseBackendPath(backend);
      if (address !== undefined) addresses.push({ ...address, domid, card: Number(name) });
    }
    return addresses;
  }
}

/** A connection that is lost has aborted its transactions. */
function abort(transaction: Dom0Transaction): void {
  try {
    transaction.abort();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
