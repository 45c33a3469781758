// SPDX-License-Identifier: MIT
/**
 * libxengnttab, grants: mapping pages that other domains granted (`xengnttab_*`), and granting pages to other domains
 * (`xengntshr_*`). The functions of `xengnttab.h` that xsnd uses, and a class over each handle.
 */
import { clearErrno, Errno, errno } from "../libc/failed_call.ts";
import { lazyLibrary } from "../base/library.ts";
import { silentLogger } from "./silent_logger.ts";

/** The symbol table; `xgt` is a `xengnttab_handle *`, `xgs` a `xengntshr_handle *`. */
// deno-fmt-ignore
export const libxengnttabSymbols = {
  xengnttab_open: { parameters: ["buffer", "u32"], result: "pointer" }, // logger, open_flags
  xengnttab_close: { parameters: ["pointer"], result: "i32" }, // xgt
  xengnttab_map_domain_grant_refs: { parameters: ["pointer", "u32", "u32", "buffer", "i32"], result: "pointer" }, // xgt, count, domid, *refs, prot
  xengnttab_unmap: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // xgt, start_address, count

  xengntshr_open: { parameters: ["buffer", "u32"], result: "pointer" }, // logger, open_flags
  xengntshr_close: { parameters: ["pointer"], result: "i32" }, // xgs
  xengntshr_share_pages: { parameters: ["pointer", "u32", "i32", "buffer", "i32"], result: "pointer" }, // xgs, domid, count, *refs, writable
  xengntshr_unshare: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // xgs, start_address, count
} as const satisfies Deno.ForeignLibraryInterface;

/** libxengnttab's functions. The first call loads the library. */
export const libxengnttab = lazyLibrary(
  { soname: "libxengnttab.so.1", debianPackage: "libxengnttab1", variable: "XSND_LIBXENGNTTAB" },
  libxengnttabSymbols,
);

type Pointer = NonNullable<Deno.PointerValue>;

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

  /** The owner unmaps all mappings before: without the handle nobody can. */
  [Symbol.dispose](): void {
    if (this.#xgt === null) return;
    libxengnttab().xengnttab_close(this.#xgt);
    this.#xgt = null;
  }

  /**
   * Maps all of the pages side by side, or none.
   * @param prot `PROT.*` bits
   */
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

  /** Allocates `refs.length` zeroed pages side by side, grants the pages to `domid`, and stores the grant references in `refs`. */
  sharePages(domid: number, refs: Uint32Array<ArrayBuffer>, writable: boolean): Pointer {
    const lib = libxengnttab();
    const address = lib.xengntshr_share_pages(this.#handle, domid, refs.length, refs, Number(writable));
    if (address === null) throw new Errno("xengntshr_share_pages", errno());
    return address;
  }

  /** Unmaps `count` shared pages. The grants end as soon as the other domain has unmapped the pages, too. */
  unshare(address: Pointer, count: number): void {
    if (libxengnttab().xengntshr_unshare(this.#handle, address, count) !== 0) {
      throw new Errno("xengntshr_unshare", errno());
    }
  }
}
