// SPDX-License-Identifier: MIT
/** Grants of real Xen: mapping pages over /dev/xen/gntdev, granting pages over /dev/xen/gntalloc. */
import { PROT } from "../../../ffi/libc/libc.ts";
import { GntshrHandle, GnttabHandle } from "../../../ffi/xen/libxengnttab.ts";
import { GrantError, type GrantSharer, type GrantTable, type Mapping, type SharedPages } from "../ports.ts";
import { openDevice } from "./device_node.ts";
import { grantCall, MappedPages } from "../mapped_pages.ts";

/** Disposes all of `mappings`. Each mapping removes itself from the set. */
function disposeAll(mappings: Set<Mapping>): void {
  using stack = new DisposableStack();
  for (const mapping of mappings) stack.use(mapping);
}

export class NativeGrantTable implements GrantTable {
  readonly #handle = openDevice("gntdev", "xen-gntdev", () => new GnttabHandle());
  readonly #mappings = new Set<Mapping>();

  map(domid: number, grefs: readonly number[], access: "read" | "write"): Mapping {
    const [count, refs] = [grefs.length, Uint32Array.from(grefs)];
    if (count === 0 || refs.some((ref, i) => ref !== grefs[i])) {
      throw new GrantError(`cannot map [${grefs}] of domain ${domid}: not a list of grant references`);
    }
    const what = `${count} page(s) of domain ${domid}, from grant reference ${grefs[0]} on`;
    // A write through a mapping without PROT.WRITE is a SIGSEGV: callers with access "read" only read.
    const prot = access === "write" ? PROT.READ | PROT.WRITE : PROT.READ;
    const start = grantCall(`cannot map ${what}`, () => this.#handle.mapDomainGrantRefs(domid, refs, prot));
    const mapping = new MappedPages(start, count, () => {
      this.#mappings.delete(mapping);
      grantCall(`cannot unmap ${what}`, () => this.#handle.unmap(start, count));
    });
    this.#mappings.add(mapping);
    return mapping;
  }

  /** Unmaps all remaining mappings, and closes the device. */
  [Symbol.dispose](): void {
    using _handle = this.#handle;
    disposeAll(this.#mappings);
  }
}

class NativeSharedPages extends MappedPages implements SharedPages {
  constructor(
    start: NonNullable<Deno.PointerValue>,
    readonly grefs: readonly number[],
    unshare: () => void,
  ) {
    super(start, grefs.length, unshare);
  }
}

export class NativeGrantSharer implements GrantSharer {
  readonly #handle = openDevice("gntalloc", "xen-gntalloc", () => new GntshrHandle());
  readonly #mappings = new Set<Mapping>();

  share(domid: number, pages: number, access: "read" | "write"): SharedPages {
    if (!Number.isInteger(pages) || pages < 1) {
      throw new RangeError(`cannot grant ${pages} pages to domain ${domid}: at least one page is needed`);
    }
    const refs = new Uint32Array(pages);
    const what = `${pages} page(s) to domain ${domid}`;
    const start = grantCall(
      `cannot grant ${what} (xen-gntalloc's parameter \`limit\` bounds the granted pages of all programs together)`,
      () => this.#handle.sharePages(domid, refs, access === "write"),
    );
    const shared = new NativeSharedPages(start, [...refs], () => {
      this.#mappings.delete(shared);
      grantCall(`cannot revoke the grant of ${what}`, () => this.#handle.unshare(start, pages));
    });
    this.#mappings.add(shared);
    return shared;
  }

  /** Revokes all remaining grants, and closes the device. */
  [Symbol.dispose](): void {
    using _handle = this.#handle;
    disposeAll(this.#mappings);
  }
}
