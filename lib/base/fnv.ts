// SPDX-License-Identifier: MIT
/** FNV-1a, 32 bit: a checksum against accidents. It protects from nobody who wants to change what it is of. */
export function fnv1a(octets: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const octet of octets) hash = Math.imul(hash ^ octet, 0x01000193);
  return hash >>> 0;
}
