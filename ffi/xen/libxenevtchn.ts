// SPDX-License-Identifier: MIT
/** libxenevtchn, event channels through /dev/xen/evtchn: the functions of `xenevtchn.h` that xsnd uses, and a class over them. */
import { clearErrno, Errno, errno, unwrap } from "../libc/failed_call.ts";
import { F, libc, O } from "../libc/libc.ts";
import { lazyLibrary } from "../base/library.ts";

/** The symbol table; `xce` is a `xenevtchn_handle *`. A port fits in 31 bits. */
// deno-fmt-ignore
export const libxenevtchnSymbols = {
  xenevtchn_open: { parameters: ["pointer", "u32"], result: "pointer" }, // logger, flags
  xenevtchn_close: { parameters: ["pointer"], result: "i32" }, // xce
  xenevtchn_fd: { parameters: ["pointer"], result: "i32" }, // xce
  xenevtchn_notify: { parameters: ["pointer", "u32"], result: "i32" }, // xce, port
  xenevtchn_bind_unbound_port: { parameters: ["pointer", "u32"], result: "i32" }, // xce, domid
  xenevtchn_bind_interdomain: { parameters: ["pointer", "u32", "u32"], result: "i32" }, // xce, domid, remote_port
  xenevtchn_unbind: { parameters: ["pointer", "u32"], result: "i32" }, // xce, port
  xenevtchn_unmask: { parameters: ["pointer", "u32"], result: "i32" }, // xce, port
} as const satisfies Deno.ForeignLibraryInterface;

/** libxenevtchn's functions. The first call loads the library. */
export const libxenevtchn = lazyLibrary(
  { soname: "libxenevtchn.so.1", debianPackage: "libxenevtchn1", variable: "XSND_LIBXENEVTCHN" },
  libxenevtchnSymbols,
);

type Pointer = NonNullable<Deno.PointerValue>;

/**
 * `/dev/xen/evtchn`, open: {@link open} makes an owner, {@link borrow} does not. {@link notify}, {@link pendingPorts}
 * and {@link unmask} return the C result (-1: failed); the other methods throw {@link Errno}.
 */
export class EvtchnHandle implements Disposable {
  readonly #lib = libxenevtchn();
  readonly #owned: boolean;
  #xce: Deno.PointerValue;
  readonly fd: number;

  private constructor(xce: Pointer, owned: boolean) {
    this.#xce = xce;
    this.#owned = owned;
    this.fd = this.#lib.xenevtchn_fd(xce);
  }

  static open(): EvtchnHandle {
    clearErrno();
    const xce = libxenevtchn().xenevtchn_open(null, 0);
    if (xce === null) throw new Errno("xenevtchn_open", errno());
    const handle = new EvtchnHandle(xce, true);
    unwrap(libc().fcntl(handle.fd, F.SETFL, BigInt(O.NONBLOCK)), "fcntl of the event channel device");
    return handle;
  }

  /**
   * Another thread's handle, which must outlive this one.
   * @param address the other's {@link EvtchnHandle.address}
   */
  static borrow(address: bigint): EvtchnHandle {
    const xce = Deno.UnsafePointer.create(address);
    if (xce === null) throw new TypeError("an event channel handle cannot be at address 0");
    return new EvtchnHandle(xce, false);
  }

  get #handle(): Pointer {
    if (this.#xce === null) throw new TypeError("the event channel handle is closed");
    return this.#xce;
  }

  get address(): bigint {
    return Deno.UnsafePointer.value(this.#handle);
  }

  /** Closes an owned handle and all its ports; leaves a borrowed handle open. */
  [Symbol.dispose](): void {
    if (this.#xce === null) return;
    if (this.#owned) this.#lib.xenevtchn_close(this.#xce);
    this.#xce = null;
  }

  bindUnboundPort(domid: number): number {
    const port = this.#lib.xenevtchn_bind_unbound_port(this.#handle, domid);
    if (port === -1) throw new Errno(`xenevtchn_bind_unbound_port ${domid}`, errno());
    return port;
  }

  bindInterdomain(domid: number, remotePort: number): number {
    const port = this.#lib.xenevtchn_bind_interdomain(this.#handle, domid, remotePort);
    if (port === -1) throw new Errno(`xenevtchn_bind_interdomain ${domid} ${remotePort}`, errno());
    return port;
  }

  unbind(port: number): void {
    if (this.#lib.xenevtchn_unbind(this.#handle, port) === -1) {
      throw new Errno(`xenevtchn_unbind ${port}`, errno());
    }
  }

  notify(port: number): number {
    return this.#lib.xenevtchn_notify(this.#handle, port);
  }

  /**
   * Fills `ports` with the ports that have an event, and masks these ports. Returns their number, or -1 (EAGAIN: no port has
   * an event). xenevtchn_pending reads the same device for one port at a time; the device gives all ports in one system call.
   *
   * @param ports memory for `capacity` 32-bit numbers
   */
  pendingPorts(ports: Pointer, capacity: number): number {
    const bytes = libc().hot_read(this.fd, ports, capacity * 4);
    return bytes < 0 ? -1 : bytes >> 2;
  }

  unmask(port: number): number {
    return this.#lib.xenevtchn_unmask(this.#handle, port);
  }
}
