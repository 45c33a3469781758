// SPDX-License-Identifier: MIT
/**
 * Grants as pages of a file. Page `gref` of the file is the page of that grant reference, and entry `gref` of the table, one word,
 * names the domain that may map the page. Two locks, at offsets beyond the file's end, replace the reference counts of Xen and
 * the kernel's drivers. The kernel drops the locks when a process ends, in whatever way:
 *
 * - `OWNED + gref`: the sharer holds this lock while it has the page mapped. Without the lock the page is granted to nobody,
 *   whatever the table says; so unmapping revokes.
 * - `MAPPED + gref`: each mapping of the page holds this lock, shared. The page of such a lock is not handed out again.
 */
import { libc, PROT } from "../../../../ffi/libc/libc.ts";
import { grantCall, MappedPages } from "../../mapped_pages.ts";
import {
  GrantError,
  type GrantSharer,
  type GrantTable,
  type Mapping,
  type SharedPages,
  XEN_PAGE_SIZE,
} from "../../ports.ts";
import { GONE, GRANT_ENTRIES, GRANT_TABLE_BYTES, grantsPath } from "../layout.ts";
import { reserveAddresses, SharedFile, type SharedWords } from "../../../../ffi/libc/shared_file.ts";

/** grant_table.h: references below this one are the toolstack's (GNTTAB_NR_RESERVED_ENTRIES). */
const FIRST_GREF = 8;
/** The reserved word of the table that holds where the search for free entries goes on. */
const CURSOR = 1;

/** Bits of an entry: grant_table.h's flags (GTF_...), and the id of the domain that may map the page. */
const PERMIT_ACCESS = 1 << 16;
const READONLY = 1 << 18;
const DOMID_MASK = 0xffff;

const OWNED = 2 ** 40;
const MAPPED = 2 ** 41;
/** The lock for handing out entries. */
const ALLOCATION = 2 ** 42;

/** Pages of any places in the file, mapped side by side. The locks made through `file` live as long as the mapping. */
class FilePages extends MappedPages implements SharedPages {
  /** @param owner the set of what its maker has to unmap in the end */
  constructor(
    file: SharedFile,
    readonly grefs: readonly number[],
    protection: number,
    owner: Set<FilePages>,
  ) {
    const start = mapSideBySide(file, grefs, protection);
    super(start, grefs.length, () => {
      owner.delete(this);
      libc().munmap(start, BigInt(grefs.length * XEN_PAGE_SIZE));
    });
    owner.add(this);
  }
}

function mapSideBySide(file: SharedFile, grefs: readonly number[], protection: number) {
  const bytes = grefs.length * XEN_PAGE_SIZE;
  const start = reserveAddresses(bytes);
  try {
    let offset = 0;
    for (const [first, count] of runs(grefs)) {
      const length = count * XEN_PAGE_SIZE;
      file.mapAt(Deno.UnsafePointer.offset(start, offset), pageOffset(first), length, protection);
      offset += length;
    }
    return start;
  } catch (error) {
    libc().munmap(start, BigInt(bytes));
    throw error;
  }
}

/** Maps pages that other domains have granted to domain `domid`. */
export class EmbeddedGrantTable implements GrantTable {
  readonly #mappings = new Set<FilePages>();

  constructor(private readonly directory: string, private readonly domid: number) {}

  map(domid: number, grefs: readonly number[], access: "read" | "write"): Mapping {
    const what = `cannot map ${grefs.length} pages of domain ${domid} for ${access}`;
    return grantCall(what, () => this.#map(domid, grefs, access, what));
  }

  #map(domid: number, grefs: readonly number[], access: "read" | "write", what: string): Mapping {
    const refuse = (why: string): never => {
      throw new GrantError(`${what}: ${why}`);
    };
    if (grefs.length === 0) refuse("the list of grant references is empty");
    const isReference = (gref: number) =>
      Number.isInteger(gref) && gref >= FIRST_GREF && gref < GRANT_ENTRIES;
    const odd = grefs.find((gref) => !isReference(gref));
    if (odd !== undefined) refuse(`${odd} is not a reference of a granted page`);

    // Closing the file leaves the locks to its mappings, or drops the locks if there is no mapping.
    using file = SharedFile.open(grantsPath(this.directory, domid)) ?? refuse("there is no such domain");
    using table = file.map(0, GRANT_TABLE_BYTES);
    // Locks first and then checks: a locked page cannot be handed out anew after the check.
    for (const [first, count] of runs(grefs)) file.lockShared(MAPPED + first, count);
    if (Atomics.load(table.words, 0) === GONE) refuse("the domain is gone");
    for (const gref of grefs) {
      const entry = Atomics.load(table.words, gref);
      const granted = (entry & PERMIT_ACCESS) !== 0 && (entry & DOMID_MASK) === this.domid;
      if (!granted || !file.isLocked(OWNED + gref, 1)) {
        refuse(`${gref} is not granted to domain ${this.domid}`);
      }
      if (access === "write" && (entry & READONLY) !== 0) refuse(`${gref} is granted for reading only`);
    }
    return new FilePages(
      file,
      grefs,
      access === "write" ? PROT.READ | PROT.WRITE : PROT.READ,
      this.#mappings,
    );
  }

  /** Unmaps what is still mapped. */
  [Symbol.dispose](): void {
    for (const mapping of this.#mappings) mapping[Symbol.dispose]();
  }
}

/** Granting pages of domain `domid` to others. */
export class EmbeddedGrantSharer implements GrantSharer {
  readonly #file: SharedFile;
  readonly #table: SharedWords;
  readonly #mappings = new Set<FilePages>();

  /** Throws {@link GrantError} if there is no such domain. */
  constructor(directory: string, domid: number) {
    const file = SharedFile.open(grantsPath(directory, domid));
    if (!file) throw new GrantError(`cannot grant pages of domain ${domid}: ${directory} has no such domain`);
    this.#file = file;
    this.#table = file.map(0, GRANT_TABLE_BYTES);
  }

  share(domid: number, pages: number, access: "read" | "write"): SharedPages {
    const { words } = this.#table;
    if (Atomics.load(words, 0) === GONE) throw new GrantError("cannot grant pages: this domain is gone");
    if (!Number.isInteger(pages) || pages < 1) throw new RangeError(`cannot grant ${pages} pages`);
    this.#file.lockWait(ALLOCATION, 1);
    try {
      const grefs = this.#findFree(pages);
      for (const gref of grefs) Atomics.store(words, gref, 0); // before the lock OWNED makes an old entry valid again
      using file = this.#file.reopened();
      for (const [first, count] of runs(grefs)) file.lock(OWNED + first, count);
      const mapping = new FilePages(file, grefs, PROT.READ | PROT.WRITE, this.#mappings);
      new Uint8Array(mapping.buffer).fill(0); // the next reader must not see the page's former contents
      const entry = PERMIT_ACCESS | (access === "read" ? READONLY : 0) | domid & DOMID_MASK;
      for (const gref of grefs) Atomics.store(words, gref, entry);
      Atomics.store(words, CURSOR, grefs.at(-1)! + 1);
      return mapping;
    } finally {
      this.#file.unlock(ALLOCATION, 1);
    }
  }

  /** Revokes all remaining grants. */
  [Symbol.dispose](): void {
    for (const mapping of this.#mappings) mapping[Symbol.dispose]();
    this.#table[Symbol.dispose]();
    this.#file[Symbol.dispose]();
  }

  /** Finds entries that nobody owns or has mapped. Entries that were freed last come last. */
  #findFree(pages: number): number[] {
    const span = GRANT_ENTRIES - FIRST_GREF;
    const start = Math.max(Atomics.load(this.#table.words, CURSOR), FIRST_GREF) - FIRST_GREF;
    const free: number[] = [];
    for (let step = 0; step < span && free.length < pages; step++) {
      const gref = FIRST_GREF + (start + step) % span;
      if (!this.#file.isLocked(OWNED + gref, 1) && !this.#file.isLocked(MAPPED + gref, 1)) free.push(gref);
    }
    if (free.length < pages) {
      throw new GrantError(
        `cannot grant ${pages} pages: ${free.length} of ${span} grant references are free`,
      );
    }
    return free.sort((a, b) => a - b);
  }
}

function pageOffset(gref: number): number {
  return GRANT_TABLE_BYTES + gref * XEN_PAGE_SIZE;
}

/** Cuts a list into runs of consecutive references: `[first, count]`. */
function runs(grefs: readonly number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const gref of grefs) {
    const last = found.at(-1);
    if (last && gref === last[0] + last[1]) last[1]++;
    else found.push([gref, 1]);
  }
  return found;
}
