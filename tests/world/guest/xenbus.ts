// SPDX-License-Identifier: MIT
/**
 * XenBus in a guest's kernel (drivers/xen/xenbus/xenbus_{probe,probe_frontend,client}.c): finds the cards below `device/vsnd`,
 * gives each a driver, and tells the driver of its backend's states. All of that runs in xenwatch.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { stateName, XenbusState } from "../../../lib/xenbus/mod.ts";
import type { BlockingStore, KernelWatch } from "./blocking_store.ts";
import type { Blocking } from "./tasks.ts";

/** `device/vsnd/CARD`. */
const NODENAME = /^device\/vsnd\/[^/]+/;

/** `struct xenbus_driver`, of one device. */
export interface XenbusDriver {
  probe(): Blocking<void>;
  otherendChanged(state: XenbusState): Blocking<void>;
  remove(): Blocking<void>;
}

export class XenbusDevice {
  /** What the driver believes its own state to be. */
  state: XenbusState = XenbusState.Initialising;
  otherend: string | undefined;
  otherendId = 0;
  #watch: KernelWatch | undefined;
  driver: XenbusDriver | undefined;

  constructor(
    private readonly store: BlockingStore,
    readonly nodename: string,
    /** Called for `xenbus_dev_fatal` and `xenbus_dev_error`. */
    private readonly complain: (nodename: string, text: string) => void,
  ) {}

  /** `talk_to_otherend`: 0 or -errno. */
  *talkToOtherend(): Blocking<number> {
    this.#watch?.end();
    this.#watch = undefined;
    this.otherend = undefined;
    const id = yield* this.store.read(`${this.nodename}/backend-id`);
    const path = yield* this.store.read(`${this.nodename}/backend`);
    if (id === undefined || !/^\d+$/.test(id) || path === undefined) {
      yield* this.fatal(-ERRNO.ENOENT, `reading other end details from ${this.nodename}`);
      return -ERRNO.ENOENT;
    }
    if (path === "" || !(yield* this.store.exists(path))) {
      yield* this.fatal(-ERRNO.ENOENT, `unable to read other end from ${this.nodename}`);
      return -ERRNO.ENOENT;
    }
    this.otherendId = Number(id);
    this.otherend = path;
    return 0;
  }

  /** `watch_otherend`. */
  *watchOtherend(): Blocking<void> {
    const { otherend } = this;
    this.#watch = yield* this.store.watch(`${otherend}/state`, (path) => this.#otherendChanged(path));
  }

  /** `xenbus_otherend_changed`. */
  *#otherendChanged(path: string): Blocking<void> {
    yield* this.store.awaitTurn();
    if (this.otherend === undefined || !path.startsWith(this.otherend) || this.driver === undefined) return;
    yield* this.driver.otherendChanged(yield* this.store.state(this.otherend));
  }

  /** `xenbus_dev_probe`. */
  *probe(driver: XenbusDriver): Blocking<void> {
    if ((yield* this.talkToOtherend()) < 0) return;
    this.driver = driver;
    yield* driver.probe();
    yield* this.watchOtherend();
  }

  /** `xenbus_dev_remove`. */
  *remove(): Blocking<void> {
    this.#watch?.end();
    this.#watch = undefined;
    const { driver } = this;
    this.driver = undefined;
    yield* driver?.remove() ?? nothing();
    this.otherend = undefined;
    yield* this.switchState(XenbusState.Closed);
  }

  /** `xenbus_dev_resume`: the driver has no resume of its own. */
  *resume(): Blocking<void> {
    if (this.driver === undefined || (yield* this.talkToOtherend()) < 0) return;
    this.state = XenbusState.Initialising;
    yield* this.watchOtherend();
  }

  /** `xenbus_switch_state`: writes nothing if the state is the one that was written last, or the node is gone. */
  *switchState(state: XenbusState): Blocking<void> {
    if (state === this.state) return;
    const path = `${this.nodename}/state`;
    const error = yield* this.store.transaction((view) => {
      if (/^\d+$/.test(view.read(path) ?? "")) view.write(path, String(state));
    });
    if (error === 0) this.state = state;
    else this.complain(this.nodename, `writing new state ${stateName(state)}: ${error}`);
  }

  /** `xenbus_dev_fatal`. */
  *fatal(error: number, text: string): Blocking<void> {
    this.complain(this.nodename, `${error} ${text}`);
    // A guest that may not write there complains in its log alone.
    yield* this.store.try((view) => view.write(`error/${this.nodename}/error`, `${error} ${text}`));
    yield* this.switchState(XenbusState.Closing);
  }
}

function* nothing(): Blocking<void> {}

export class Xenbus {
  readonly devices = new Map<string, XenbusDevice>();
  #isLoaded = true;

  constructor(
    private readonly store: BlockingStore,
    private readonly makeDriver: (device: XenbusDevice) => XenbusDriver,
    private readonly complain: (nodename: string, text: string) => void,
  ) {}

  /**
   * Whether the device got no driver, as it changed while its other end was read: a card was detached, and another one attached. Linux
   * does not try again before the device goes.
   */
  hasFailed(nodename: string): boolean {
    const device = this.devices.get(nodename);
    return device !== undefined && device.driver === undefined && device.state === XenbusState.Closing;
  }

  /** Watches for cards. To be called once. */
  begin(): void {
    this.store.post(() => this.#watch());
  }

  *#watch(): Blocking<void> {
    yield* this.store.watch("device/vsnd", (path) => this.#changed(path));
  }

  /** `xenbus_dev_changed`. */
  *#changed(path: string): Blocking<void> {
    const nodename = NODENAME.exec(path)?.[0];
    if (path === "device/vsnd" || nodename === undefined) {
      // The watch itself, or all cards at once.
      const names = yield* this.store.list("device/vsnd");
      for (const known of this.devices.keys()) {
        if (!(yield* this.store.exists(known))) yield* this.#cleanUp(known);
      }
      for (const name of names) yield* this.#probe(`device/vsnd/${name}`);
      return;
    }
    if (!(yield* this.store.exists(path))) yield* this.#cleanUp(path);
    else if (!this.devices.has(nodename)) yield* this.#probe(nodename);
  }

  /** `xenbus_cleanup_devices`: the devices at and below `path`. */
  *#cleanUp(path: string): Blocking<void> {
    for (const [nodename, device] of [...this.devices]) {
      if (nodename !== path && !nodename.startsWith(`${path}/`)) continue;
      this.devices.delete(nodename);
      yield* device.remove();
    }
  }

  /** `xenbus_probe_node`: a device that is not new is going away. */
  *#probe(nodename: string): Blocking<void> {
    if (this.devices.has(nodename)) return;
    if ((yield* this.store.state(nodename)) !== XenbusState.Initialising) return;
    const device = new XenbusDevice(this.store, nodename, this.complain);
    this.devices.set(nodename, device);
    if (this.#isLoaded) yield* device.probe(this.makeDriver(device));
  }

  /** `rmmod snd_xen_front`, or the unbinding of all its devices. */
  unload(): void {
    this.#isLoaded = false;
    this.store.post(() => this.#unload());
  }

  *#unload(): Blocking<void> {
    for (const device of this.devices.values()) {
      if (device.driver !== undefined) yield* device.remove();
    }
  }

  /** `modprobe snd_xen_front`. */
  load(): void {
    this.#isLoaded = true;
    this.store.post(() => this.#load());
  }

  *#load(): Blocking<void> {
    for (const device of this.devices.values()) {
      if (device.driver === undefined) yield* device.probe(this.makeDriver(device));
    }
  }

  /** `xenbus_resume`, after a restore or a suspend that was cancelled with the backend gone. */
  *resume(): Blocking<void> {
    for (const device of this.devices.values()) yield* device.resume();
  }
}
