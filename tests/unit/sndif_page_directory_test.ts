// SPDX-License-Identifier: MIT
/** lib/sndif/page_directory.ts: the backend reads a frontend's directories, and refuses invalid ones. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  bufferPages,
  DIRECTORY_PAGE_WORDS,
  directoryPages,
  GREFS_PER_DIRECTORY_PAGE,
  type PageDirectory,
  type PageDirectoryFault,
  walkPageDirectory,
  writePageDirectory,
  XEN_EINVAL,
  XEN_EIO,
  XEN_ENOMEM,
} from "../../lib/sndif/mod.ts";

const LIMIT = 64 << 20;

/** A guest's granted pages, with a record of the reads. */
class Grants {
  readonly reads: number[] = [];
  constructor(readonly pages: Map<number, Uint32Array>) {}
  readonly read = (gref: number, words: Uint32Array): boolean => {
    this.reads.push(gref);
    const page = this.pages.get(gref);
    if (page === undefined) return false;
    words.set(page);
    return true;
  };
}

function isFault(result: PageDirectory | PageDirectoryFault): result is PageDirectoryFault {
  return "errno" in result;
}

/** Builds the directory of `grefs` in the pages `directoryGrefs`. */
function build(grefs: number[], directoryGrefs: number[]): Grants {
  const words = new Uint32Array(directoryGrefs.length * DIRECTORY_PAGE_WORDS).fill(0xffffffff);
  writePageDirectory(words, directoryGrefs, grefs);
  return new Grants(
    new Map(
      directoryGrefs.map((
        gref,
        i,
      ) => [gref, words.slice(i * DIRECTORY_PAGE_WORDS, (i + 1) * DIRECTORY_PAGE_WORDS)]),
    ),
  );
}

const numbered = (count: number, from: number) => Array.from({ length: count }, (_, i) => from + i);

Deno.test("walkPageDirectory() finds what writePageDirectory() wrote, for any buffer size", () => {
  const size = fc.oneof(
    fc.integer({ min: 1, max: 3 * 4096 }),
    // Near one, two and three full directory pages.
    fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: -4097, max: 4097 }))
      .map(([pages, delta]) => pages * GREFS_PER_DIRECTORY_PAGE * 4096 + delta),
  );
  fc.assert(
    fc.property(size, fc.integer({ min: 1, max: 2 ** 32 - 10_000 }), (bufferSz, firstGref) => {
      const pages = bufferPages(bufferSz);
      assert.equal(pages, Math.floor((bufferSz + 4095) / 4096));
      const grefs = numbered(pages, firstGref).reverse();
      const directoryGrefs = numbered(directoryPages(pages), firstGref + pages);
      const grants = build(grefs, directoryGrefs);
      const found = walkPageDirectory(bufferSz, directoryGrefs[0]!, grants.read, LIMIT);
      assert.deepEqual(found, { grefs, directoryGrefs });
      assert.deepEqual(grants.reads, directoryGrefs, "each directory page is read once");
    }),
    { numRuns: 50 },
  );
});

Deno.test("directoryPages() is at least one", () => {
  assert.deepEqual([0, 1, 1023, 1024, 2046, 2047].map(directoryPages), [1, 1, 1, 2, 2, 3]);
});

Deno.test("walkPageDirectory() ends, and within bounds, whatever the guest has in its pages", () => {
  // A few pages that refer to each other, to nothing, and to ungranted grefs.
  const gref = fc.integer({ min: 0, max: 6 });
  const page = fc.tuple(gref, fc.array(fc.nat(2 ** 32 - 1), { maxLength: 40, size: "max" }), fc.boolean());
  fc.assert(
    fc.property(
      fc.array(page, { maxLength: 5, size: "max" }),
      gref,
      fc.nat(2 ** 32 - 1),
      (pages, first, bufferSz) => {
        const grants = new Grants(
          new Map(pages.map(([next, some, full], i) => {
            const words = new Uint32Array(DIRECTORY_PAGE_WORDS).fill(full ? 77 : 0);
            words.set([next, ...some]);
            return [i + 1, words];
          })),
        );
        const found = walkPageDirectory(bufferSz, first, grants.read, LIMIT);
        assert(grants.reads.length <= directoryPages(bufferPages(LIMIT)));
        assert.equal(new Set(grants.reads).size, grants.reads.length, "no page is read twice");
        if (isFault(found)) assert(found.errno > 0 && found.reason !== "");
        else {
          assert.equal(found.grefs.length, bufferPages(bufferSz));
          assert(!found.grefs.includes(0));
          assert.equal(new Set(found.grefs).size, found.grefs.length, "no page stands for two");
        }
      },
    ),
  );
});

Deno.test("walkPageDirectory() says what is wrong", () => {
  const grefs = numbered(1500, 1);
  const refused = (edit: (grants: Grants) => void, bufferSz = 1500 * 4096, first = 9001) => {
    const grants = build(grefs, [9001, 9002]);
    edit(grants);
    const found = walkPageDirectory(bufferSz, first, grants.read, LIMIT);
    assert(isFault(found));
    return found;
  };
  const nothing = () => {};
  assert.deepEqual(refused(nothing, 0), { errno: XEN_EINVAL, reason: "the buffer is empty" });
  assert.deepEqual(refused(nothing, LIMIT + 1), {
    errno: XEN_ENOMEM,
    reason: `the buffer is ${LIMIT + 1} octets, more than the allowed ${LIMIT}`,
  });
  assert.deepEqual(refused(nothing, 4096, 0), {
    errno: XEN_EINVAL,
    reason: "directory page 0 of the buffer is missing",
  });
  assert.deepEqual(refused(({ pages }) => pages.get(9001)![0] = 0), {
    errno: XEN_EINVAL,
    reason: "directory page 1 of the buffer is missing",
  });
  assert.deepEqual(refused(({ pages }) => pages.get(9001)![0] = 9001), {
    errno: XEN_EINVAL,
    reason: "directory page 1 is one already seen, gref 9001",
  });
  assert.deepEqual(refused(({ pages }) => pages.delete(9002)), {
    errno: XEN_EIO,
    reason: "directory page 1, gref 9002, cannot be mapped",
  });
  assert.deepEqual(refused(({ pages }) => pages.get(9002)![5] = 0), {
    errno: XEN_EINVAL,
    reason: "directory page 1 has gref 0 at 4",
  });
  // A gref twice: in one directory page, across two, and as a directory page itself.
  for (const [page, gref] of [[9001, 3], [9002, 3], [9002, 1100], [9002, 9001]]) {
    const again = refused(({ pages }) => pages.get(page!)![5] = gref!);
    assert.equal(again.errno, XEN_EINVAL);
    assert.match(again.reason, /^directory page [01] has gref \d+ a second time, at \d+$/);
  }
});

Deno.test("walkPageDirectory() takes the largest buffer allowed, and looks at nothing behind the last reference", () => {
  const pages = bufferPages(LIMIT);
  const directoryGrefs = numbered(directoryPages(pages), 100_000);
  const grants = build(numbered(pages, 1), directoryGrefs);
  // A valid last page has 0 here. The walk ends before reading it.
  grants.pages.get(directoryGrefs.at(-1)!)![0] = directoryGrefs[0]!;
  const found = walkPageDirectory(LIMIT, directoryGrefs[0]!, grants.read, LIMIT);
  assert(!isFault(found));
  assert.equal(found.grefs.length, pages);
});

Deno.test("writePageDirectory() refuses too few pages", () => {
  assert.throws(() => writePageDirectory(new Uint32Array(1024), [1], numbered(1024, 2)), RangeError);
  assert.throws(() => writePageDirectory(new Uint32Array(1024), [1, 2], numbered(1024, 3)), RangeError);
});
