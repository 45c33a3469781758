// SPDX-License-Identifier: MIT
/**
 * The page directory of OPEN (`struct xensnd_page_directory`): a chain of pages, each with the grant reference of
 * the next one (0 in the last) and up to 1023 references of the shared buffer's pages.
 */
import { XEN_EINVAL, XEN_EIO, XEN_ENOMEM } from "./xen_errno.ts";

/** sndif's pages, whatever the size of the domains' own ("Assumptions" in sndif.h). */
const XEN_PAGE_SIZE = 4096;
/** Words of a directory page. */
export const DIRECTORY_PAGE_WORDS = XEN_PAGE_SIZE / Uint32Array.BYTES_PER_ELEMENT;
/** References to buffer pages in a directory page, besides the reference to the next directory page. */
export const GREFS_PER_DIRECTORY_PAGE = DIRECTORY_PAGE_WORDS - 1;

/** Stands for no reference: "Grant reference 0 is valid, but never exposed to a PV driver" (sndif.h). */
const INVALID_GREF = 0;

/**
 * Pages of a shared buffer of `bufferSz` octets.
 *
 * @example
 * ```ts
 * import { bufferPages } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * assert.equal(bufferPages(4097), 2);
 * ```
 */
export function bufferPages(bufferSz: number): number {
  return Math.ceil(bufferSz / XEN_PAGE_SIZE);
}

/**
 * Directory pages that list `pages` buffer pages; "at least one page exists" (sndif.h).
 *
 * @example
 * ```ts
 * import { directoryPages } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * assert.equal(directoryPages(1024), 2);
 * ```
 */
export function directoryPages(pages: number): number {
  return Math.max(1, Math.ceil(pages / GREFS_PER_DIRECTORY_PAGE));
}

/** The result of a walk: references to the buffer's pages in order, and to the directory's own pages. */
export interface PageDirectory {
  /** Grant references of the buffer's pages, in order. */
  readonly grefs: readonly number[];
  /** Grant references of the directory's own pages, in order. */
  readonly directoryGrefs: readonly number[];
}

/** Why a walk was given up: the answer to OPEN, and the reason for the log. */
export interface PageDirectoryFault {
  /** XEN_E*, positive. */
  readonly errno: number;
  /** A sentence for the log. */
  readonly reason: string;
}

/** Copies the directory page granted as `gref` into `words`, once. Returns false if the page cannot be mapped. */
export type ReadDirectoryPage = (gref: number, words: Uint32Array) => boolean;

/**
 * Collects the ceil(bufferSz / 4096) grant references of a shared buffer, all different. The guest may write anything into its
 * directory: the walk takes no more steps than an honest directory needs, and never throws for what it reads.
 *
 * @param bufferSz `xensnd_open_req.buffer_sz`, octets.
 * @param first `xensnd_open_req.gref_directory`.
 * @param maxBufferSz the largest buffer, in octets, that the stream is allowed.
 *
 * @example
 * ```ts
 * import { DIRECTORY_PAGE_WORDS, walkPageDirectory, writePageDirectory } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const page = new Uint32Array(DIRECTORY_PAGE_WORDS);
 * writePageDirectory(page, [8], [20, 21]);
 * const read = (gref: number, into: Uint32Array) => gref === 8 && (into.set(page), true);
 * assert.deepEqual(walkPageDirectory(8192, 8, read, 65536), { grefs: [20, 21], directoryGrefs: [8] });
 * ```
 */
export function walkPageDirectory(
  bufferSz: number,
  first: number,
  readPage: ReadDirectoryPage,
  maxBufferSz: number,
): PageDirectory | PageDirectoryFault {
  if (bufferSz === 0) return fault(XEN_EINVAL, "the buffer is empty");
  if (bufferSz > maxBufferSz) {
    return fault(XEN_ENOMEM, `the buffer is ${bufferSz} octets, more than the allowed ${maxBufferSz}`);
  }
  const total = bufferPages(bufferSz);
  // An honest frontend grants each page once. A page named again and again would make much memory out of little.
  const seen = new Set<number>();
  const grefs: number[] = [];
  const directoryGrefs: number[] = [];
  const words = new Uint32Array(DIRECTORY_PAGE_WORDS);
  for (let page = first; grefs.length < total; page = words[0]!) {
    const where = `directory page ${directoryGrefs.length}`;
    if (page === INVALID_GREF) return fault(XEN_EINVAL, `${where} of the buffer is missing`);
    // Bounds the chain at ceil(total / 1023) pages: each page but the last adds 1023 references.
    if (seen.has(page)) return fault(XEN_EINVAL, `${where} is one already seen, gref ${page}`);
    seen.add(page);
    directoryGrefs.push(page);
    if (!readPage(page, words)) return fault(XEN_EIO, `${where}, gref ${page}, cannot be mapped`);
    const count = Math.min(GREFS_PER_DIRECTORY_PAGE, total - grefs.length);
    for (let i = 1; i <= count; i++) {
      const gref = words[i]!;
      if (gref === INVALID_GREF) return fault(XEN_EINVAL, `${where} has gref 0 at ${i - 1}`);
      if (seen.has(gref)) return fault(XEN_EINVAL, `${where} has gref ${gref} a second time, at ${i - 1}`);
      seen.add(gref);
      grefs.push(gref);
    }
  }
  return { grefs, directoryGrefs };
}

function fault(errno: number, reason: string): PageDirectoryFault {
  return { errno, reason };
}

/**
 * Writes the directory of the pages `grefs` into `words`: the frontend's {@link directoryPages} pages side by side, granted as
 * `directoryGrefs`. OPEN's gref_directory is then `directoryGrefs[0]`. Throws RangeError if the pages are not that many.
 *
 * @example
 * ```ts
 * import { DIRECTORY_PAGE_WORDS, writePageDirectory } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const page = new Uint32Array(DIRECTORY_PAGE_WORDS);
 * writePageDirectory(page, [8], [20, 21]);
 * assert.deepEqual([...page.subarray(0, 4)], [0, 20, 21, 0]);
 * ```
 */
export function writePageDirectory(
  words: Uint32Array,
  directoryGrefs: readonly number[],
  grefs: readonly number[],
): void {
  const pages = directoryPages(grefs.length);
  if (directoryGrefs.length !== pages || words.length < pages * DIRECTORY_PAGE_WORDS) {
    throw new RangeError(
      `a directory of ${grefs.length} pages takes ${pages} pages, not ${directoryGrefs.length} in ${words.length} words`,
    );
  }
  words.fill(0);
  for (let page = 0; page < pages; page++) {
    const at = page * DIRECTORY_PAGE_WORDS;
    words[at] = directoryGrefs[page + 1] ?? INVALID_GREF;
    const from = page * GREFS_PER_DIRECTORY_PAGE;
    words.set(grefs.slice(from, from + GREFS_PER_DIRECTORY_PAGE), at + 1);
  }
}
