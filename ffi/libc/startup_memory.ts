// SPDX-License-Identifier: MIT
/**
 * Giving back what only a start needs: most of a Deno's code is run once, and what malloc(3) keeps for later is not wanted by a
 * daemon that makes little. Pages of code come back from the file that they are of, one by one, when they are run again.
 */
import { libc, MADV, O } from "./libc.ts";
import { cString } from "../base/c_string.ts";

/** A line of `/proc/self/smaps` that begins a mapping: its addresses, how it may be used, and the file that it is of. */
const HEAD = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+ +(\/.*)$/;

/**
 * Gives back to the kernel what this process has of the file `program` in its memory, unchanged, and what malloc(3) has free.
 * Octets of mappings, which the kernel need not keep for us any more; 0 if it does not say what there is.
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

/** Private mappings of `program` that nobody may write and nobody has: such as code, and unlike relocated data (RELRO). */
function unchangedMappings(program: string): { start: bigint; bytes: number }[] {
  const found: { start: bigint; bytes: number }[] = [];
  let candidate: { start: bigint; bytes: number } | undefined;
  for (const line of smaps().split("\n")) {
    const [, from, to, rights, path] = HEAD.exec(line) ?? [];
    if (from !== undefined) {
      const start = BigInt(`0x${from}`);
      const isFit = path === program && /^r-[x-]p$/.test(rights);
      candidate = isFit ? { start, bytes: Number(BigInt(`0x${to}`) - start) } : undefined;
    } else if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) candidate = undefined;
    // What was written to is anonymous, and would be lost.
    else if (candidate !== undefined && /^Anonymous: +0 kB$/.test(line)) {
      found.push(candidate);
      candidate = undefined;
    }
  }
  return found;
}

/** What the kernel says of this process's mappings; "" if it does not. Deno would have to be allowed everything for that. */
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
