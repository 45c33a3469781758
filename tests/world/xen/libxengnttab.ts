// SPDX-License-Identifier: MIT
/** libxengnttab of the virtual machine, over the hypervisor's grants: /dev/xen/gntdev and /dev/xen/gntalloc. */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { PROT } from "../../../ffi/libc/libc.ts";
import type { libxengnttabSymbols } from "../../../ffi/xen/libxengnttab.ts";
import { OpenFile } from "../machine/files.ts";
import { fails } from "../machine/libc.ts";
import { type CallKind, currentThread, type Process } from "../machine/process.ts";
import type { Domain, Grant } from "./domain.ts";
import { Handles } from "./handles.ts";
import type { ForeignMapping } from "./hypervisor.ts";
import { ownDomain } from "./libxenevtchn.ts";
import { currentXen, type XenMachine } from "./machine.ts";

type Symbols = Deno.DynamicLibrary<typeof libxengnttabSymbols>["symbols"];

/** µs that mapping or unmapping takes, and for each page more. */
const MAP_MICROS = 10;
const PAGE_MICROS = 0.5;

/** /dev/xen/gntdev, open. The kernel unmaps what a process that ends has mapped. */
class GrantFile extends OpenFile {
  /** By address. */
  readonly mappings = new Map<number, ForeignMapping>();

  constructor(private readonly xen: XenMachine, readonly domain: Domain) {
    super();
  }

  ready(): number {
    return 0;
  }

  override close(): void {
    for (const mapping of this.mappings.values()) this.xen.hypervisor.unmap(mapping, false);
    this.mappings.clear();
  }
}

interface Sharing {
  readonly grants: readonly Grant[];
}

/** /dev/xen/gntalloc, open. */
class SharingFile extends OpenFile {
  /** By address. */
  readonly sharings = new Map<number, Sharing>();

  constructor(readonly domain: Domain) {
    super();
  }

  ready(): number {
    return 0;
  }

  end(address: number): void {
    for (const grant of this.sharings.get(address)!.grants) this.domain.revoke(grant);
    this.sharings.delete(address);
  }

  override close(): void {
    for (const address of [...this.sharings.keys()]) this.end(address);
  }
}

interface Handle<F> {
  readonly file: F;
  readonly fd: number;
}

const tables = new Handles<Handle<GrantFile>>("xengnttab_handle");
const sharers = new Handles<Handle<SharingFile>>("xengntshr_handle");

/** The foreign pages that a process has mapped. */
export function foreignMappings(process: Process): ForeignMapping[] {
  return [...process.files.values()].flatMap((file) =>
    file instanceof GrantFile ? [...file.mappings.values()] : []
  );
}

/** How many mappings, and mapped pages, a process has. */
export function mappingsOf(process: Process): { mappings: number; pages: number } {
  const mappings = foreignMappings(process);
  return { mappings: mappings.length, pages: mappings.reduce((sum, { grants }) => sum + grants.length, 0) };
}

function opened<F extends OpenFile>(handles: Handles<Handle<F>>, make: (process: Process) => F) {
  const { process } = currentThread();
  process.call();
  const file = make(process);
  const fd = process.open(file);
  if (fd < 0) return fails(ERRNO.EMFILE), null;
  return handles.give({ file, fd });
}

/** Closes a handle; what it still holds is for the process's end alone, and reported. */
function closed<F extends OpenFile>(
  handles: Handles<Handle<F>>,
  pointer: Deno.PointerValue,
  held: (file: F) => number,
) {
  const { process } = currentThread();
  process.call();
  const { file, fd } = handles.take(pointer);
  if (held(file) > 0) currentXen().report(`a grant handle is closed with ${held(file)} mappings`);
  if (process.files.get(fd) === file) process.files.delete(fd);
  file.close();
  return 0;
}

function call(pages: number, kind?: CallKind): void {
  const thread = currentThread();
  thread.process.call(kind);
  thread.spend(Math.ceil(MAP_MICROS + pages * PAGE_MICROS));
}

function pointerAt(address: number) {
  return Deno.UnsafePointer.create(BigInt(address));
}

function addressAt(pointer: Deno.PointerValue): number {
  return Number(Deno.UnsafePointer.value(pointer));
}

/** The numbers in a C array of 32-bit numbers. */
function words(buffer: AllowSharedBufferSource | null, count: number): Uint32Array {
  const view = buffer as ArrayBufferView;
  return new Uint32Array(view.buffer, view.byteOffset, count);
}

/** The library's functions. */
export function virtualLibxengnttab(): Symbols {
  return {
    xengnttab_open: () => opened(tables, (process) => new GrantFile(currentXen(), ownDomain(process))),
    xengnttab_close: (xgt) => closed(tables, xgt, ({ mappings }) => mappings.size),
    xengnttab_map_domain_grant_refs: (xgt, count, domid, refs, prot) => {
      call(count, "map");
      const { file } = tables.get(xgt);
      const isWritable = (prot & PROT.WRITE) !== 0;
      const mapping = currentXen().hypervisor.map(
        file.domain.domid,
        domid,
        [...words(refs, count)],
        isWritable,
      );
      if (typeof mapping === "number") return fails(-mapping), null;
      file.mappings.set(mapping.range.address, mapping);
      return pointerAt(mapping.range.address);
    },
    xengnttab_unmap: (xgt, start, count) => {
      call(count, "unmap");
      const { file } = tables.get(xgt);
      const address = addressAt(start);
      const mapping = file.mappings.get(address);
      if (mapping === undefined || mapping.grants.length !== count) return fails(ERRNO.EINVAL);
      file.mappings.delete(address);
      currentXen().hypervisor.unmap(mapping);
      return 0;
    },
    xengntshr_open: () => opened(sharers, (process) => new SharingFile(ownDomain(process))),
    xengntshr_close: (xgs) => closed(sharers, xgs, ({ sharings }) => sharings.size),
    xengntshr_share_pages: (xgs, domid, count, refs, writable) => {
      call(count);
      const { file } = sharers.get(xgs);
      const { ram } = file.domain;
      const first = ram.allocate(count);
      if (first === -1) return fails(ERRNO.ENOMEM), null;
      const grants = file.domain.grant(first, count, domid, writable === 0);
      if (grants === undefined) {
        for (let frame = first; frame < first + count; frame++) ram.free(frame);
        return fails(ERRNO.ENOSPC), null;
      }
      words(refs, count).set(grants.map(({ gref }) => gref));
      file.sharings.set(ram.address(first), { grants });
      return pointerAt(ram.address(first));
    },
    xengntshr_unshare: (xgs, start, count) => {
      call(count);
      const { file } = sharers.get(xgs);
      const address = addressAt(start);
      if (file.sharings.get(address)?.grants.length !== count) return fails(ERRNO.EINVAL);
      file.end(address);
      return 0;
    },
  };
}
