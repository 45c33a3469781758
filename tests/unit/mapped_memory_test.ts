// SPDX-License-Identifier: MIT
/** Tests memory that is unmapped: a view of it then throws or reads nothing, without SIGSEGV. */
import assert from "node:assert/strict";
import { libc, MAP, PROT } from "../../ffi/libc/libc.ts";
import { copyMemory, mappedBuffer, Memory } from "../../ffi/libc/memory.ts";
import { MappedPages } from "../../lib/xen/mapped_pages.ts";

const root = new URL("../../", import.meta.url).pathname;

/** A page of this process, mapped as a guest's page is. Disposal unmaps the page with munmap(2). */
function mapPage(): MappedPages {
  const page = libc().mmap(null, 4096n, PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS, -1, 0n)!;
  return new MappedPages(page, 1, () => assert.equal(libc().munmap(page, 4096n), 0));
}

Deno.test("a mapping detaches its buffer before it goes: late accesses are empty, or throw", () => {
  const page = mapPage();
  const [octets, view, words] = [
    new Uint8Array(page.buffer),
    new DataView(page.buffer),
    new Int32Array(page.buffer),
  ];
  octets[0] = 7;
  page[Symbol.dispose]();
  page[Symbol.dispose]();
  assert.deepEqual([octets.length, octets[0]], [0, undefined]);
  octets[0] = 8; // has no effect
  assert.throws(() => view.getUint8(0), TypeError);
  assert.throws(() => view.setUint32(0, 1), TypeError);
  assert.throws(() => Atomics.load(words, 0), TypeError);
  assert.throws(() => new Uint8Array(page.buffer), TypeError);
});

Deno.test("another thread's view is detached by that thread, and its Memory released, before the owner unmaps", () => {
  const page = mapPage();
  const buffer = mappedBuffer(String(page.address), 4096);
  const memory = Memory.mapped(page.address, 4096);
  const octets = new Uint8Array(buffer);
  octets[0] = 7;
  assert.equal(new Uint8Array(page.buffer)[0], 7, "the same octets");
  buffer.transfer(0);
  memory.release();
  page[Symbol.dispose]();
  assert.equal(octets[0], undefined);
  assert.throws(() => copyMemory(memory, 0, memory, 0, 1), TypeError);
});

Deno.test("where bare addresses become memory: nowhere but in the few files that own it", async () => {
  const found: string[] = [];
  for (const directory of ["cmd", "ffi", "lib"]) await search(`${root}${directory}`, found);
  assert.deepEqual(found.sort(), [
    "ffi/libc/failed_call.ts", // errno
    "ffi/libc/memory.ts",
    "ffi/libc/shared_file.ts",
    "lib/xen/mapped_pages.ts",
  ]);
});

/** Adds to `found` the files below `directory` that make an ArrayBuffer of an address. */
async function search(directory: string, found: string[]): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory) await search(path, found);
    else if (name.endsWith(".ts") && (await Deno.readTextFile(path)).includes("getArrayBuffer")) {
      found.push(path.slice(root.length));
    }
  }
}
