// SPDX-License-Identifier: MIT
/**
 * mmap(2) of regular files, shared: what a process writes is in the file when the mapping ends, or the process. At most one process maps
 * a file at a time. The addresses are of {@link addressSpace}, so that a touch after the end is noticed.
 */
import type { FileNode } from "../machine/file_tree.ts";
import type { FileMapper } from "../machine/libc.ts";
import type { Process } from "../machine/process.ts";
import { XEN_PAGE_SIZE } from "../../../lib/xen/ports.ts";
import { addressSpace, type Range } from "./address_space.ts";
import { bufferAt } from "./real_memory.ts";

/** The mappings, by address: what ends each. */
const ends = new Map<number, () => void>();

function map(process: Process, node: FileNode, bytes: number): number {
  const range = addressSpace.take(Math.ceil(bytes / XEN_PAGE_SIZE), "a mapped file");
  memoryOf(range, bytes).set(node.octets.subarray(0, bytes));
  const end = () => {
    ends.delete(range.address);
    node.octets = memoryOf(range, bytes).slice();
    addressSpace.poison(range);
  };
  const forget = process.atEnd(end);
  ends.set(range.address, () => {
    forget();
    end();
  });
  return range.address;
}

/** Returns whether `address` is of this kind. The mappings of a process that has died have ended, and what is left of its code ends them again. */
function unmap(address: number): boolean {
  ends.get(address)?.();
  return addressSpace.at(address) !== undefined;
}

const memoryOf = ({ address }: Range, bytes: number) => new Uint8Array(bufferAt(address, bytes));

export const mappedFiles: FileMapper = { map, unmap };
