// SPDX-License-Identifier: MIT
/** libxenevtchn of the virtual machine, over the hypervisor's ports, with /dev/xen/evtchn as drivers/xen/evtchn.c has it. */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { POLL } from "../../../ffi/libc/libc.ts";
import type { libxenevtchnSymbols } from "../../../ffi/xen/libxenevtchn.ts";
import { OpenFile } from "../machine/files.ts";
import { fails } from "../machine/libc.ts";
import { currentThread, type Process } from "../machine/process.ts";
import type { Domain } from "./domain.ts";
import { Handles } from "./handles.ts";
import { currentXen } from "./machine.ts";
import type { Port, PortOwner } from "./ports.ts";

type Symbols = Deno.DynamicLibrary<typeof libxenevtchnSymbols>["symbols"];

/** µs that binding or closing a port takes. */
const BIND_MICROS = 15;

/** /dev/xen/evtchn, open: its read(2) gives the numbers of ports with an event. */
class EventFile extends OpenFile implements PortOwner {
  readonly ports = new Map<number, Port>();
  /** Ports with an event that nobody has read, the oldest first. A port that is closed stays. */
  readonly #ring: number[] = [];
  #isClosed = false;

  constructor(readonly process: Process, readonly domain: Domain) {
    super();
  }

  raise(port: Port): void {
    if (this.#isClosed) return;
    this.#ring.push(port.number);
    currentXen().hypervisor.onSignal(this.process, port.remoteDomid);
    this.changed();
  }

  ready(): number {
    return POLL.OUT | (this.#ring.length > 0 ? POLL.IN : 0);
  }

  override read(into: Uint8Array): number {
    const count = Math.min(this.#ring.length, into.length >> 2);
    if (this.#ring.length === 0) return -ERRNO.EAGAIN;
    const words = new Uint32Array(into.buffer, into.byteOffset, count);
    for (let i = 0; i < count; i++) words[i] = this.#ring[i]!;
    this.#ring.splice(0, count);
    return count * 4;
  }

  bind(port: Port | number): number {
    if (typeof port === "number") return fails(-port);
    this.ports.set(port.number, port);
    return port.number;
  }

  override close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const port of this.ports.values()) port.table.close(port);
    this.ports.clear();
  }
}

interface Handle {
  readonly file: EventFile;
  readonly fd: number;
}

const handles = new Handles<Handle>("xenevtchn_handle");

/** How many ports a process has bound to each domain, for each of its handles in the order of their making. */
export function channelsOf(process: Process): ReadonlyMap<number, number>[] {
  return [...process.files.values()].filter((file) => file instanceof EventFile).map(({ ports }) => {
    const counts = new Map<number, number>();
    for (const { remoteDomid } of ports.values()) counts.set(remoteDomid, (counts.get(remoteDomid) ?? 0) + 1);
    return counts;
  });
}

/** How many ports a process has bound. */
export function portsOf(process: Process): number {
  let sum = 0;
  for (const counts of channelsOf(process)) for (const ports of counts.values()) sum += ports;
  return sum;
}

/** The domain in which the running process lives. */
export function ownDomain(process: Process): Domain {
  const domain = currentXen().hypervisor.domain(process.domid);
  if (domain === undefined) throw new Error(`${process.name} runs in domain ${process.domid}, which is gone`);
  return domain;
}

function bindCall(): void {
  const thread = currentThread();
  thread.process.call();
  thread.spend(BIND_MICROS);
}

/** The library's functions. */
export function virtualLibxenevtchn(): Symbols {
  return {
    xenevtchn_open: () => {
      const { process } = currentThread();
      process.call();
      const file = new EventFile(process, ownDomain(process));
      const fd = process.open(file);
      if (fd < 0) return fails(ERRNO.EMFILE), null;
      return handles.give({ file, fd });
    },
    xenevtchn_close: (xce) => {
      const { process } = currentThread();
      process.call();
      const { file, fd } = handles.take(xce);
      if (process.files.get(fd) === file) process.files.delete(fd);
      file.close();
      return 0;
    },
    xenevtchn_fd: (xce) => handles.get(xce).fd,
    xenevtchn_notify: (xce, number) => {
      currentThread().process.call("notify");
      const port = handles.get(xce).file.ports.get(number);
      if (port === undefined) return fails(ERRNO.ENOTCONN);
      port.peer?.signal();
      return 0;
    },
    xenevtchn_bind_unbound_port: (xce, domid) => {
      bindCall();
      const { file } = handles.get(xce);
      return file.bind(file.domain.ports.bindUnbound(domid, file));
    },
    xenevtchn_bind_interdomain: (xce, domid, remotePort) => {
      bindCall();
      const { file } = handles.get(xce);
      const remote = currentXen().hypervisor.domain(domid)?.ports;
      return file.bind(file.domain.ports.bindInterdomain(remote, remotePort, file));
    },
    xenevtchn_unbind: (xce, number) => {
      bindCall();
      const { file } = handles.get(xce);
      const port = file.ports.get(number);
      if (port === undefined) return fails(ERRNO.ENOTCONN);
      file.ports.delete(number);
      port.table.close(port);
      return 0;
    },
    xenevtchn_unmask: (xce, number) => {
      currentThread().process.call();
      handles.get(xce).file.ports.get(number)?.unmask();
      return 0;
    },
  };
}
