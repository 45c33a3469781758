// SPDX-License-Identifier: MIT
/**
 * libxengnttab: mapping pages that other domains granted (`xengnttab_*`) and granting pages to them
 * (`xengntshr_*`), as `xengnttab.h` declares them.
 */
import { clearErrno, Errno, errno, functionWithoutEffect } from "../libc/libc.ts";
import { lazyLibrary } from "../base/library.ts";

/** The symbol table; `xgt` is a `xengnttab_handle *`, `xgs` a `xengntshr_handle *`. */
// deno-fmt-ignore
export const libxengnttabSymbols = {
  xengnttab_open: { parameters: ["buffer", "u32"], result: "pointer" }, // logger, open_flags
  xengnttab_close: { parameters: ["pointer"], result: "i32" }, // xgt
  xengnttab_fd: { parameters: ["pointer"], result: "i32", optional: true }, // xgt (1.2)
  xengnttab_set_max_grants: { parameters: ["pointer", "u32"], result: "i32" }, // xgt, nr_grants
  xengnttab_map_grant_ref: { parameters: ["pointer", "u32", "u32", "i32"], result: "pointer" }, // xgt, domid, ref, prot
  xengnttab_map_grant_refs: { parameters: ["pointer", "u32", "buffer", "buffer", "i32"], result: "pointer" }, // xgt, count, *domids, *refs, prot
  xengnttab_map_domain_grant_refs: { parameters: ["pointer", "u32", "u32", "buffer", "i32"], result: "pointer" }, // xgt, count, domid, *refs, prot
  xengnttab_map_grant_ref_notify: { parameters: ["pointer", "u32", "u32", "i32", "u32", "u32"], result: "pointer" }, // xgt, domid, ref, prot, notify_offset, notify_port
  xengnttab_unmap: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // xgt, start_address, count
  xengnttab_grant_copy: { parameters: ["pointer", "u32", "buffer"], result: "i32", optional: true }, // xgt, count, segs (1.1)

  xengntshr_open: { parameters: ["buffer", "u32"], result: "pointer" }, // logger, open_flags
  xengntshr_close: { parameters: ["pointer"], result: "i32" }, // xgs
  xengntshr_fd: { parameters: ["pointer"], result: "i32", optional: true }, // xgs (1.2)
  xengntshr_share_pages: { parameters: ["pointer", "u32", "i32", "buffer", "i32"], result: "pointer" }, // xgs, domid, count, *refs, writable
  xengntshr_share_page_notify: { parameters: ["pointer", "u32", "buffer", "i32", "u32", "u32"], result: "pointer" }, // xgs, domid, *ref, writable, notify_offset, notify_port
  xengntshr_unshare: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // xgs, start_address, count
} as const satisfies Deno.ForeignLibraryInterface;

/** libxengnttab's functions; loaded on the first call. */
export const libxengnttab = lazyLibrary(
  { soname: "libxengnttab.so.1", debianPackage: "libxengnttab1", variable: "XSND_LIBXENGNTTAB" },
  libxengnttabSymbols,
);

type Pointer = NonNullable<Deno.PointerValue>;

let logger: BigUint64Array<ArrayBuffer> | undefined;

/**
 * A `struct xentoollog_logger` { vmessage, progress, destroy } that says nothing. The library's own writes to stderr
 * whenever a mapping fails, which a guest can make happen as often as it likes; errno says as much. Lives for as
 * long as this module, since handles point to it.
 */
function silentLogger(): BigUint64Array<ArrayBuffer> {
  if (logger === undefined) {
    logger = new BigUint64Array(new ArrayBuffer(3 * 8)); // a buffer of its own: V8 moves small arrays without
    logger.fill(Deno.UnsafePointer.value(functionWithoutEffect()));
  }
  return logger;
}

/** `/dev/xen/gntdev`, open. Methods throw {@link Errno}. */
export class GnttabHandle implements Disposable {
  #xgt: Deno.PointerValue;

  constructor() {
    clearErrno();
    this.#xgt = libxengnttab().xengnttab_open(silentLogger(), 0);
    if (this.#xgt === null) throw new Errno("xengnttab_open", errno());
  }

  get #handle(): Pointer {
    if (this.#xgt === null) throw new TypeError("the grant table handle is closed");
    return this.#xgt;
  }

  /** Mappings must be unmapped before: afterwards nothing can. */
  [Symbol.dispose](): void {
    if (this.#xgt === null) return;
    libxengnttab().xengnttab_close(this.#xgt);
    this.#xgt = null;
  }

  /** Maps pages side by side; all or none. `prot` is `PROT.*`. */
  mapDomainGrantRefs(domid: number, refs: Uint32Array<ArrayBuffer>, prot: number): Pointer {
    const lib = libxengnttab();
    const address = lib.xengnttab_map_domain_grant_refs(this.#handle, refs.length, domid, refs, prot);
    if (address === null) throw new Errno("xengnttab_map_domain_grant_refs", errno());
    return address;
  }

  /** Unmaps a whole mapping of `count` pages. */
  unmap(address: Pointer, count: number): void {
    if (libxengnttab().xengnttab_unmap(this.#handle, address, count) !== 0) {
      throw new Errno("xengnttab_unmap", errno());
    }
  }
}

/** `/dev/xen/gntalloc`, open. Methods throw {@link Errno}. */
export class GntshrHandle implements Disposable {
  #xgs: Deno.PointerValue;

  constructor() {
    clearErrno();
    this.#xgs = libxengnttab().xengntshr_open(silentLogger(), 0);
    if (this.#xgs === null) throw new Errno("xengntshr_open", errno());
  }

  get #handle(): Pointer {
    if (this.#xgs === null) throw new TypeError("the grant sharing handle is closed");
    return this.#xgs;
  }

  [Symbol.dispose](): void {
    if (this.#xgs === null) return;
    libxengnttab().xengntshr_close(this.#xgs);
    this.#xgs = null;
  }

  /** Allocates `refs.length` zeroed pages, side by side, grants them to `domid` and fills `refs`. */
  sharePages(domid: number, refs: Uint32Array<ArrayBuffer>, writable: boolean): Pointer {
    const lib = libxengnttab();
    const address = lib.xengntshr_share_pages(this.#handle, domid, refs.length, refs, Number(writable));
    if (address === null) throw new Errno("xengntshr_share_pages", errno());
    return address;
  }

  /** Unmaps `count` shared pages; the grants end as soon as the other domain has unmapped them too. */
  unshare(address: Pointer, count: number): void {
    if (libxengnttab().xengntshr_unshare(this.#handle, address, count) !== 0) {
      throw new Errno("xengntshr_unshare", errno());
    }
  }
}
