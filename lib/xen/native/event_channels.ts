// SPDX-License-Identifier: MIT
/** Event channels of real Xen, over /dev/xen/evtchn. */
import { Errno } from "../../../ffi/libc/failed_call.ts";
import { addressOf } from "../../../ffi/libc/pointers.ts";
import { EvtchnHandle } from "../../../ffi/xen/libxenevtchn.ts";
import {
  EventChannelError,
  type EventChannels,
  type EventChannelsShare,
  PENDING_IN_A_ROW,
} from "../ports.ts";
import { openDevice } from "./device_node.ts";

export class NativeEventChannels implements EventChannels {
  readonly fd: number;
  readonly #handle: EvtchnHandle;
  /** The ports that one read of the device gave. `pending` returns those from {@link #next} on. */
  readonly #ports = new Uint32Array(PENDING_IN_A_ROW);
  readonly #portsAddress = addressOf(this.#ports);
  #next = 0;
  #count = 0;

  constructor(handle: EvtchnHandle) {
    this.#handle = handle;
    this.fd = handle.fd;
  }

  bindUnbound(domid: number): number {
    return bindCall(`make a port for domain ${domid}`, () => this.#handle.bindUnboundPort(domid));
  }

  bindInterdomain(domid: number, remotePort: number): number {
    const what = `bind to port ${remotePort} of domain ${domid}`;
    return bindCall(what, () => this.#handle.bindInterdomain(domid, remotePort));
  }

  unbind(port: number): void {
    bindCall(`unbind port ${port}`, () => this.#handle.unbind(port));
  }

  notify(port: number): number {
    return this.#handle.notify(port);
  }

  pending(): number {
    if (this.#next < this.#count) return this.#ports[this.#next++]!;
    const isRowOver = this.#count > 0;
    this.#next = this.#count = 0;
    if (isRowOver) return -1;
    this.#count = Math.max(0, this.#handle.pendingPorts(this.#portsAddress, PENDING_IN_A_ROW));
    return this.#count === 0 ? -1 : this.#ports[this.#next++]!;
  }

  unmask(port: number): number {
    return this.#handle.unmask(port);
  }

  get shareable(): EventChannelsShare {
    return { kind: "native", handle: this.#handle.address };
  }

  [Symbol.dispose](): void {
    this.#handle[Symbol.dispose]();
  }
}

/** Runs a library call. Turns an Errno into an {@link EventChannelError}. */
function bindCall<T>(what: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw cause instanceof Errno ? new EventChannelError(`cannot ${what}: ${cause.code}`, { cause }) : cause;
  }
}

/** Opens a new handle. Disposing the result unbinds all its ports. Throws {@link XsndError} without Xen. */
export function openNativeEventChannels(): EventChannels {
  return new NativeEventChannels(openDevice("evtchn", "xen-evtchn", () => EvtchnHandle.open()));
}

/**
 * Another thread's handle (`EventChannels.shareable`), which must outlive the result. Only one thread may call `pending`.
 * Disposing the result closes nothing.
 */
export function adoptNativeEventChannels(handle: bigint): EventChannels {
  return new NativeEventChannels(EvtchnHandle.borrow(handle));
}
