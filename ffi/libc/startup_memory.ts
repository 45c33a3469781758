// SPDX-License-Identifier: MIT
/**
 * Returns memory that only the start needs to the kernel. Deno runs most of its code once, and a daemon that allocates little
 * has no use for the memory that malloc(3) keeps. The kernel reads a page of code from its file again when the code runs again.
 */
import { libc, MADV, O } from "./libc.ts";
import { cString } from "../base/c_string.ts";

/** A line of `/proc/self/smaps` that begins a mapping of a file: addresses, rights, path. */
const HEAD = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+ +(\/.*)$/;

/**
 * Returns to the kernel all unchanged pages of the file `program`, and malloc(3)'s free memory. Returns how many octets of
 * mappings the kernel need not keep in memory any more; 0 if the kernel does not list the mappings.
 */
export function releaseStartup(program: string): number {
  libc().malloc_trim?.(0n);
  let released = 0;
  for (const { start, bytes } of unchangedMappings(program)) {
    const address = Deno.UnsafePointer.create(start);
    if (libc().madvise(address, BigInt(bytes), MADV.DONTNEED) === 0) released += bytes;
  }
  return released;
}

/** Private mappings of `program` that nobody may write and nobody has written: code, and not relocated data (RELRO). */
function unchangedMappings(program: string): { start: bigint; bytes: number }[] {
  const found: { start: bigint; bytes: number }[] = [];
  let candidate: { start: bigint; bytes: number } | undefined;
  for (const line of smaps().split("\n")) {
    const [, from, to, rights, path] = HEAD.exec(line) ?? [];
    if (from !== undefined) {
      const start = BigInt(`0x${from}`);
      const isFit = path === program && rights !== undefined && /^r-[x-]p$/.test(rights);
      candidate = isFit ? { start, bytes: Number(BigInt(`0x${to}`) - start) } : undefined;
    } else if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) candidate = undefined;
    // Written pages are anonymous; madvise would lose them.
    else if (candidate !== undefined && /^Anonymous: +0 kB$/.test(line)) {
      found.push(candidate);
      candidate = undefined;
    }
  }
  return found;
}

/** The kernel's list of this process's mappings; "" if there is none. Deno's own calls need all permissions to read that list. */
function smaps(): string {
  const fd = libc().open(cString("/proc/self/smaps"), O.RDONLY | O.CLOEXEC, 0);
  if (fd === -1) return "";
  try {
    const decoder = new TextDecoder("latin1");
    const octets = new Uint8Array(1 << 16);
    let text = "";
    for (let count; (count = Number(libc().read(fd, octets, BigInt(octets.length)))) > 0;) {
      text += decoder.decode(octets.subarray(0, count));
    }
    return text;
  } finally {
    libc().close(fd);
  }
}
