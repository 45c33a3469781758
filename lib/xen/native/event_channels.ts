/** EventChannels over /dev/xen/evtchn. */
import { Errno, POLL, PollSet } from "../../../ffi/libc.ts";
import { EvtchnHandle } from "../../../ffi/libxenevtchn.ts";
import { EventChannelError, type EventChannels, type EventChannelsShare } from "../ports.ts";
import { openDevice } from "./devices.ts";

export class NativeEventChannels implements EventChannels {
  readonly fd: number;
  readonly #handle: EvtchnHandle;
  readonly #ready = new PollSet(1);

  constructor(handle: EvtchnHandle) {
    this.#handle = handle;
    this.fd = handle.fd;
    this.#ready.add(this.fd, POLL.IN);
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

  /** xenevtchn_pending reads the device, which blocks if it is empty, even with O_NONBLOCK (xenevtchn.h). */
  pending(): number {
    return this.#ready.wait(0) > 0 ? this.#handle.pending() : -1;
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

/** Runs a library call; its Errno becomes an {@link EventChannelError}. */
function bindCall<T>(what: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw cause instanceof Errno ? new EventChannelError(`cannot ${what}: ${cause.code}`, { cause }) : cause;
  }
}

/** Opens a handle of its own; disposing it unbinds all its ports. Throws {@link XsndError} if Xen is not there. */
export function openNativeEventChannels(): EventChannels {
  return new NativeEventChannels(openDevice("evtchn", "xen-evtchn", () => EvtchnHandle.open()));
}

/**
 * The same handle as another thread's, which must outlive this one: see `EventChannels.shareable`. Only one thread may
 * call `pending`. Disposing it closes nothing.
 */
export function adoptNativeEventChannels(handle: bigint): EventChannels {
  return new NativeEventChannels(EvtchnHandle.borrow(handle));
}
